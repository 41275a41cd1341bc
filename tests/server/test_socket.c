// SPDX-License-Identifier: Apache-2.0
#include "server/socket.h"

#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *folder;
static char path[128], lock_path[160], error[SOCKET_ERROR_MAX];
static struct socket_file file, other;
static int fd = -1, other_fd = -1;

static void make_paths(void)
{
        folder = harness_make_folder();
        snprintf(path, sizeof(path), "%s/socket", folder);
        snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
}

static void open_it(void)
{
        ck_assert_msg(socket_open(path, 0660, &file, &fd, error) == 0, "%s", error);
}

static void close_it(void)
{
        close(fd);
        socket_close(&file);
}

static void check_gone(void)
{
        ck_assert_int_lt(access(path, F_OK), 0);
        ck_assert_int_lt(access(lock_path, F_OK), 0);
}

static int bind_at(int type)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int bound = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, path);
        ck_assert_int_eq(bind(bound, (struct sockaddr *)&address, sizeof(address)), 0);
        return bound;
}

START_TEST(listens_with_its_mode_and_leaves_nothing)
{
        mode_t before = umask(0022);
        struct stat info;

        make_paths();
        open_it();
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_uint_eq(info.st_mode, S_IFSOCK | 0660);
        ck_assert_uint_eq(umask(before), 0022);
        close_it();
        check_gone();
        harness_remove_folder(folder);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
        make_paths();
        close(bind_at(SOCK_SEQPACKET));
        open_it();
        close_it();
        check_gone();
        harness_remove_folder(folder);
}
END_TEST

START_TEST(bound_socket_that_does_not_listen_yet_is_taken_for_stale)
{
        int bound;

        make_paths();
        bound = bind_at(SOCK_SEQPACKET);
        open_it(); /* only the lock keeps two of us apart at that moment, and that is its job */
        close(bound);
        close_it();
        harness_remove_folder(folder);
}
END_TEST

static void check_live(int type)
{
        int bound;

        make_paths();
        bound = bind_at(type);
        ck_assert_int_eq(listen(bound, 1), 0);
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -EADDRINUSE);
        ck_assert_ptr_nonnull(strstr(error, "in use"));
        ck_assert_int_eq(access(path, F_OK), 0);
        ck_assert_int_lt(access(lock_path, F_OK), 0);
        close(bound);
        harness_remove_folder(folder);
}

START_TEST(live_socket_is_left_alone)
{
        check_live(SOCK_SEQPACKET);
}
END_TEST

START_TEST(live_socket_of_another_type_is_left_alone)
{
        check_live(SOCK_STREAM);
}
END_TEST

START_TEST(second_one_is_refused_while_the_first_has_the_lock)
{
        make_paths();
        open_it();
        ck_assert_int_eq(socket_open(path, 0660, &other, &other_fd, error), -EADDRINUSE);
        ck_assert_ptr_nonnull(strstr(error, "in use by another filememd"));
        ck_assert_int_eq(access(path, F_OK), 0);
        close_it();
        open_it();
        close_it();
        harness_remove_folder(folder);
}
END_TEST

START_TEST(left_lock_file_does_no_harm)
{
        make_paths();
        fd = open(lock_path, O_CREAT | O_CLOEXEC, 0600);
        close(fd);
        open_it();
        close_it();
        check_gone();
        harness_remove_folder(folder);
}
END_TEST

/* A lock that is taken away and made anew while we have it does not end with ours. */
START_TEST(files_of_others_are_not_removed)
{
        make_paths();
        open_it();
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(unlink(lock_path), 0);
        ck_assert_int_eq(socket_open(path, 0660, &other, &other_fd, error), 0);
        close_it();
        ck_assert_int_eq(access(path, F_OK), 0);
        ck_assert_int_eq(access(lock_path, F_OK), 0);
        close(other_fd);
        socket_close(&other);
        check_gone();
        harness_remove_folder(folder);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
        make_paths();
        fd = open(path, O_CREAT | O_CLOEXEC, 0600);
        close(fd);
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -ENOTSOCK);
        ck_assert_ptr_nonnull(strstr(error, "exists and is no socket"));
        ck_assert_int_eq(access(path, F_OK), 0);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(symbolic_link_is_not_followed)
{
        make_paths();
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -ENOTSOCK);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(symlink("/dev/null", lock_path), 0);
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -ELOOP);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(missing_folder_is_named)
{
        make_paths();
        snprintf(path, sizeof(path), "%s/missing/socket", folder);
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error, path));
        ck_assert_ptr_nonnull(strstr(error, "No such file or directory"));
        harness_remove_folder(folder);
}
END_TEST

START_TEST(no_permission_is_named)
{
        make_paths();
        ck_assert_int_eq(chmod(folder, 0555), 0);
        if (geteuid() == 0)
                ck_assert_int_eq(seteuid(65534), 0); /* root may do anything */
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -EACCES);
        ck_assert_ptr_nonnull(strstr(error, "Permission denied"));
        if (getuid() == 0)
                ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(chmod(folder, 0700), 0);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(path_of_107_bytes_is_the_longest)
{
        make_paths();
        memset(path, 0, sizeof(path));
        snprintf(path, sizeof(path), "%s/", folder);
        while (strlen(path) < 107)
                path[strlen(path)] = 'x';
        open_it();
        close_it();
        path[107] = 'x';
        ck_assert_int_eq(socket_open(path, 0660, &file, &fd, error), -ENAMETOOLONG);
        ck_assert_int_eq(socket_open("", 0660, &file, &fd, error), -EINVAL);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(without_memory_nothing_is_made)
{
        int r;

        make_paths();
        fault_alloc_at(0);
        r = socket_open(path, 0660, &file, &fd, error);
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert(fault_alloc_happened());
        check_gone();
        harness_remove_folder(folder);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
        file = SOCKET_FILE_NONE;
        socket_close(&file);
        socket_close(&file);
        ck_assert_int_eq(file.lock, -1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("socket");
        TCase *tests = harness_case(suite, "socket", 10);

        tcase_add_test(tests, listens_with_its_mode_and_leaves_nothing);
        tcase_add_test(tests, stale_socket_is_replaced);
        tcase_add_test(tests, bound_socket_that_does_not_listen_yet_is_taken_for_stale);
        tcase_add_test(tests, live_socket_is_left_alone);
        tcase_add_test(tests, live_socket_of_another_type_is_left_alone);
        tcase_add_test(tests, second_one_is_refused_while_the_first_has_the_lock);
        tcase_add_test(tests, left_lock_file_does_no_harm);
        tcase_add_test(tests, files_of_others_are_not_removed);
        tcase_add_test(tests, what_is_no_socket_is_left_alone);
        tcase_add_test(tests, symbolic_link_is_not_followed);
        tcase_add_test(tests, missing_folder_is_named);
        tcase_add_test(tests, no_permission_is_named);
        tcase_add_test(tests, path_of_107_bytes_is_the_longest);
        tcase_add_test(tests, without_memory_nothing_is_made);
        tcase_add_test(tests, closing_nothing_is_fine);
        return harness_run(suite);
}
