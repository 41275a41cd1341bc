// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"
#include "peer.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- no daemon ------------------------------------------------------------------------------- */

START_TEST(no_socket_is_enoent_with_a_sentence)
{
        filemem_session *session = (filemem_session *)&session;

        ck_assert_int_eq(filemem_open("/nonexistent/socket", NULL, &session), -ENOENT);
        ck_assert_ptr_eq(session, (filemem_session *)&session);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "/nonexistent/socket"));
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "no daemon"));
        ck_assert_str_eq(filemem_strerror(NULL, -ENOENT), filemem_open_error());
}
END_TEST

/* Binds a socket of that type in a new folder. listens: or is that of a dead daemon. */
static int bind_socket(int type, bool listens, char *path, size_t size, const char *folder)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        snprintf(path, size, "%s/socket", folder);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (listens)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

START_TEST(a_dead_socket_is_econnrefused)
{
        const char *folder = harness_make_folder();
        filemem_session *session;
        char path[90];

        close(bind_socket(SOCK_SEQPACKET, true, path, sizeof(path), folder));
        ck_assert_int_eq(filemem_open(path, NULL, &session), -ECONNREFUSED);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(a_stream_socket_is_that_of_something_else)
{
        const char *folder = harness_make_folder();
        filemem_session *session;
        char path[90];
        int fd = bind_socket(SOCK_STREAM, true, path, sizeof(path), folder);

        ck_assert_int_eq(filemem_open(path, NULL, &session), -EPROTOTYPE);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "something else"));
        close(fd);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(wrong_arguments_are_told_before_anything_is_done)
{
        struct filemem_options options = {.size = sizeof(options)};
        filemem_session *session;
        char text[200];

        ck_assert_int_eq(filemem_open(NULL, NULL, NULL), -EINVAL);
        memset(text, 'a', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        ck_assert_int_eq(filemem_open(text, NULL, &session), -ENAMETOOLONG);
        options.label = text + sizeof(text) - 1 - WIRE_LABEL_MAX - 1;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -EINVAL);
        options.label++;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -ENOENT);
        options.pool = text;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -EINVAL);
        options.pool = NULL;
        options.size = 3;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -EINVAL);
        ck_assert_str_ne(filemem_open_error(), "");
}
END_TEST

START_TEST(the_environment_says_where_the_daemon_is)
{
        filemem_session *session;

        ck_assert_int_eq(setenv("FILEMEM_SOCKET", "/nonexistent/of-environment", 1), 0);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -ENOENT);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "/nonexistent/of-environment"));
        ck_assert_int_eq(filemem_open("/nonexistent/said", NULL, &session), -ENOENT);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "/nonexistent/said"));
}
END_TEST

START_TEST(a_user_has_a_daemon_of_his_own)
{
        filemem_session *session;
        char folder[160], path[200];
        struct peer peer;

        peer_start(&peer, peer_serve, NULL);
        snprintf(folder, sizeof(folder), "%s/filemem", peer.folder);
        snprintf(path, sizeof(path), "%s/filemem.sock", folder);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert_int_eq(symlink(peer.path, path), 0);
        ck_assert_int_eq(chmod(peer.folder, 0755), 0);
        ck_assert_int_eq(chmod(peer.path, 0666), 0);
        unsetenv("FILEMEM_SOCKET");
        setenv("XDG_RUNTIME_DIR", peer.folder, 1);
        /* As root the service is meant; not as another user. */
        if (geteuid() == 0)
                ck_assert_int_eq(seteuid(65534), 0);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), 0);
        ck_assert_int_eq(getuid() == 0 ? seteuid(0) : 0, 0);
        ck_assert_ptr_null(filemem_close(session));
        peer_stop(&peer);
}
END_TEST

START_TEST(a_kernel_that_cannot_tell_a_child_gets_no_session)
{
        filemem_session *session = NULL;

        fault_advise(EINVAL);
        ck_assert_int_eq(filemem_open("/nonexistent", NULL, &session), -EINVAL);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "forked child"));
        ck_assert_ptr_null(session);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
        ck_assert_ptr_null(filemem_close(NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("open");
        TCase *tests = harness_case(suite, "open", 20);

        tcase_add_test(tests, no_socket_is_enoent_with_a_sentence);
        tcase_add_test(tests, a_dead_socket_is_econnrefused);
        tcase_add_test(tests, a_stream_socket_is_that_of_something_else);
        tcase_add_test(tests, wrong_arguments_are_told_before_anything_is_done);
        tcase_add_test(tests, the_environment_says_where_the_daemon_is);
        tcase_add_test(tests, a_user_has_a_daemon_of_his_own);
        tcase_add_test(tests, a_kernel_that_cannot_tell_a_child_gets_no_session);
        tcase_add_test(tests, closing_nothing_is_fine);
        return harness_run(suite);
}
