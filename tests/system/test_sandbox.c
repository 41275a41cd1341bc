// SPDX-License-Identifier: Apache-2.0
/*
 * Clients that may do next to nothing, each with the real thing: what docs/sandboxing.md says of
 * them.
 */
#include "everything.h"
#include "support/daemon.h"
#include "support/harness.h"
#include "support/namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER 65534
#define CONFINED   100 /* exit code of a process that could not be confined as it should */
#define MIB        (UINT64_C(1) << 20)

static struct daemon the_daemon;

/* Anybody may connect: who is another user in here is in the same pool. */
static void start(void)
{
        daemon_start(&the_daemon, "[daemon]\nsocket_mode = 0666\n[pool default]\ncapacity = 8G\n");
        ck_assert_int_eq(chmod(the_daemon.folder, 0755), 0);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

/* Where the socket is for who has been confined. */
static const char *socket_path = the_daemon.socket;

static int open_and_do_everything(void)
{
        filemem_session *session;

        if (filemem_open(socket_path, NULL, &session) < 0) {
                fprintf(stderr, "%s\n", filemem_open_error());
                return 99;
        }
        return everything_with(session);
}

/* The rest is for the child. confine() returns whether it worked; act() how much was wrong. */
static void check_child(pid_t pid, bool (*confine)(void), int (*act)(void))
{
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(confine() ? act() : CONFINED);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

static void check_confined(bool (*confine)(void), int (*act)(void))
{
        check_child(fork(), confine, act);
}

/* ---- rights -----------------------------------------------------------------------------------
 */

static bool give_up_new_privileges(void)
{
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

START_TEST(a_client_without_new_privileges_can_do_everything)
{
        check_confined(give_up_new_privileges, open_and_do_everything);
}
END_TEST

/* Who is not root stays who it is: that user is another one than root already. */
static bool become_other_user(void)
{
        if (geteuid() != 0)
                return true;
        return setgroups(0, NULL) == 0 && setresgid(OTHER_USER, OTHER_USER, OTHER_USER) == 0 &&
               setresuid(OTHER_USER, OTHER_USER, OTHER_USER) == 0 && setuid(0) < 0;
}

START_TEST(a_client_of_another_user_can_do_everything)
{
        check_confined(become_other_user, open_and_do_everything);
}
END_TEST

/* ---- Landlock ---------------------------------------------------------------------------------
 */

/* Not in the headers of Debian 12 as a whole: the fields of the first version will do. */
#define LANDLOCK_FS_RIGHTS_1  ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_ASK_VERSION  1u
#define SYS_LANDLOCK_CREATE   444
#define SYS_LANDLOCK_RESTRICT 446
#define LANDLOCK_FS_RIGHTS_MORE                                                                    \
        3 /* one each of the versions 2 (refer), 3 (truncate), 5 (ioctl)                           \
           */

static uint64_t landlock_rights(long version)
{
        static const long since[LANDLOCK_FS_RIGHTS_MORE] = {2, 3, 5};
        uint64_t rights = LANDLOCK_FS_RIGHTS_1;

        for (int i = 0; i < LANDLOCK_FS_RIGHTS_MORE; i++)
                if (version >= since[i])
                        rights |= UINT64_C(1) << (13 + i);
        return rights;
}

/* Every right that there is with files is taken away, and none is given. */
static bool give_up_files(void)
{
        uint64_t rights;
        long version = syscall(SYS_LANDLOCK_CREATE, NULL, 0, LANDLOCK_ASK_VERSION);
        int rules;

        if (version < 1)
                return false;
        rights = landlock_rights(version);
        rules = (int)syscall(SYS_LANDLOCK_CREATE, &rights, sizeof(rights), 0);
        if (rules < 0 || !give_up_new_privileges() || syscall(SYS_LANDLOCK_RESTRICT, rules, 0) < 0)
                return false;
        close(rules);
        return open("/", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES;
}

/* To connect to a path is no right that Landlock has. */
START_TEST(a_client_without_any_right_to_files_can_do_everything)
{
        check_confined(give_up_files, open_and_do_everything);
}
END_TEST

/* ---- limits -----------------------------------------------------------------------------------
 */

static bool limit(int resource, rlim_t value)
{
        const struct rlimit wanted = {value, value};

        return setrlimit((__rlimit_resource_t)resource, &wanted) == 0;
}

/* What it has now and a bit: the window of 8 GiB does not fit. */
static bool limit_address_space(void)
{
        FILE *statm = fopen("/proc/self/statm", "re");
        char line[128] = {0};

        if (!statm)
                return false;
        if (!fgets(line, sizeof(line), statm))
                line[0] = 0;
        fclose(statm);
        return limit(RLIMIT_AS, strtoumax(line, NULL, 10) * 4096 + 512 * MIB);
}

/* A range across chunks is not contiguous then, and everything() takes it in blocks. */
static int check_blocks(void)
{
        struct filemem_range range;
        filemem_session *session;
        void *address;
        int wrong;

        if (filemem_open(socket_path, NULL, &session) < 0)
                return 99;
        wrong = filemem_allocate(session, 40 * MIB, FILEMEM_ANONYMOUS, &range) != 0;
        wrong += filemem_map(session, range, 3, &address) != -ERANGE;
        range.end = range.start + MIB;
        wrong += filemem_map(session, range, 3, &address) != 0;
        filemem_close(session);
        return wrong + open_and_do_everything();
}

START_TEST(a_client_with_too_little_address_space_for_the_window_gets_blocks)
{
        check_confined(limit_address_space, check_blocks);
}
END_TEST

static bool limit_descriptors_to(rlim_t free_ones)
{
        int next;

        closefrom(3);
        next = dup(0); /* lowest free number */
        close(next);
        return limit(RLIMIT_NOFILE, (rlim_t)next + free_ones);
}

static bool limit_descriptors_to_16(void)
{
        closefrom(3);
        return limit(RLIMIT_NOFILE, 16);
}

START_TEST(sixteen_descriptors_are_enough)
{
        check_confined(limit_descriptors_to_16, open_and_do_everything);
}
END_TEST

static bool leave_two_descriptors(void)
{
        return limit_descriptors_to(2);
}

static bool leave_one_descriptor(void)
{
        return limit_descriptors_to(1);
}

static bool leave_no_descriptor(void)
{
        return limit_descriptors_to(0);
}

START_TEST(a_session_takes_two_descriptors)
{
        check_confined(leave_two_descriptors, open_and_do_everything);
}
END_TEST

static int check_too_few(void)
{
        filemem_session *session;
        int r = filemem_open(socket_path, NULL, &session);

        return r != -EMFILE || !strstr(filemem_open_error(), "descriptor");
}

START_TEST(a_client_without_descriptors_is_told_so)
{
        check_confined(leave_one_descriptor, check_too_few);
        check_confined(leave_no_descriptor, check_too_few);
}
END_TEST

/* ---- namespaces -------------------------------------------------------------------------------
 */

static int count_files(const char *path)
{
        const struct dirent *entry;
        DIR *folder = opendir(path);
        int count = 0;

        while (folder && (entry = readdir(folder)))
                count += entry->d_name[0] != '.';
        if (folder)
                closedir(folder);
        return folder ? count : -1;
}

/* An empty root with nothing in it but the daemon's socket, and no way back. */
static bool see_only_the_socket(void)
{
        static char folder[128], path[192];

        snprintf(folder, sizeof(folder), "%s/root", the_daemon.folder);
        snprintf(path, sizeof(path), "%s/filemem.sock", folder);
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mkdir(folder, 0755) < 0 ||
                mount("none", folder, "tmpfs", 0, "mode=0755") < 0 || mknod(path, S_IFREG, 0) < 0 ||
                mount(the_daemon.socket, path, NULL, MS_BIND, NULL) < 0)
                return false;
        if (chdir(folder) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
                umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return false;
        socket_path = "/filemem.sock";
        return count_files("/") == 1 && access("/proc", F_OK) < 0;
}

START_TEST(a_client_that_sees_nothing_but_the_socket_can_do_everything)
{
        check_child(namespace_fork(CLONE_NEWNS), see_only_the_socket, open_and_do_everything);
}
END_TEST

/* ---- all at once ------------------------------------------------------------------------------
 */

static bool give_up_all(void)
{
        return limit_address_space() && limit_descriptors_to_16() && see_only_the_socket() &&
               give_up_files();
}

START_TEST(a_client_with_all_of_that_can_do_everything)
{
        check_child(namespace_fork(CLONE_NEWNS), give_up_all, open_and_do_everything);
}
END_TEST

/* ---- bubblewrap -------------------------------------------------------------------------------
 */

/* Runs a command by /bin/sh to its end. Returns what waitpid() says; all that it wrote is a text.
 */
static int run_shell(const char *command, char *output, size_t size)
{
        size_t used = 0;
        ssize_t n;
        int ends[2], status;
        pid_t pid;

        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* that needs more of /proc */
                dup2(ends[1], STDOUT_FILENO);
                dup2(ends[1], STDERR_FILENO);
                execl("/bin/sh", "sh", "-c", command, NULL);
                _exit(127);
        }
        close(ends[1]);
        while (used < size - 1 && (n = read(ends[0], output + used, size - 1 - used)) > 0)
                used += (size_t)n;
        output[used] = 0;
        close(ends[0]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return status;
}

/* The demonstration's program and what it is linked to, read-only, in a root with nothing else. */
static void make_bwrap(char *command, size_t size)
{
        size_t used = (size_t)snprintf(command, size,
                "bwrap --unshare-all --die-with-parent --ro-bind %s /filemem-cksum", FILEMEM_CKSUM);
        char libraries[4096], *path = libraries;

        ck_assert_int_eq(run_shell("ldd " FILEMEM_CKSUM, libraries, sizeof(libraries)), 0);
        while ((path = strchr(path, '/'))) {
                int length = (int)strcspn(path, " \n");

                used += (size_t)snprintf(command + used, size - used, " --ro-bind %.*s %.*s",
                        length, path, length, path);
                ck_assert_uint_lt(used, size);
                path += length;
        }
        used += (size_t)snprintf(command + used, size - used, "%s /filemem-cksum",
                harness_slowness() > 1 ? " --proc /proc" : ""); /* a sanitizer's own wish */
        ck_assert_uint_lt(used, size);
}

static void write_files(void)
{
        for (int i = 0; i < 3; i++) {
                char path[128];
                FILE *file;

                snprintf(path, sizeof(path), "%s/%d", the_daemon.folder, i);
                file = fopen(path, "we");
                ck_assert_ptr_nonnull(file);
                for (int j = 0; j < 1000000; j++)
                        fputc(i + j % 251, file);
                ck_assert_int_eq(fclose(file), 0);
        }
}

START_TEST(workers_of_the_demonstration_run_in_bubblewrap_with_an_inherited_session)
{
        char sandbox[4096], command[8192], output[4096];
        const char *folder = the_daemon.folder;

        make_bwrap(sandbox, sizeof(sandbox));
        write_files();
        snprintf(command, sizeof(command),
                FILEMEM_CKSUM " --socket %s --workers 3 --sandbox '%s' %s/0 %s/1 %s/2",
                the_daemon.socket, sandbox, folder, folder, folder);
        ck_assert_msg(run_shell(command, output, sizeof(output)) == 0, "%s", output);
        ck_assert_ptr_nonnull(strstr(output, "killed by SIGKILL"));
        ck_assert_ptr_nonnull(strstr(output, "All 3 checksums equal"));
        ck_assert_ptr_nonnull(strstr(output, "0 bytes are allocated in the pool and 0 bytes"));
}
END_TEST

/* The same sandbox without a session to inherit is one in which there is no daemon. */
START_TEST(in_that_sandbox_there_is_no_socket_and_no_file)
{
        char sandbox[4096], command[8192], output[4096];

        make_bwrap(sandbox, sizeof(sandbox));
        snprintf(command, sizeof(command), "%s --socket %s %s", sandbox, the_daemon.socket,
                the_daemon.log);
        ck_assert_int_ne(run_shell(command, output, sizeof(output)), 0);
        ck_assert_msg(strstr(output, "there is no such socket") != NULL, "%s", output);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sandbox");
        TCase *tests = harness_case(suite, "sandbox", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, a_client_without_new_privileges_can_do_everything);
        tcase_add_test(tests, a_client_of_another_user_can_do_everything);
        tcase_add_test(tests, a_client_without_any_right_to_files_can_do_everything);
        tcase_add_test(tests, a_client_with_too_little_address_space_for_the_window_gets_blocks);
        tcase_add_test(tests, sixteen_descriptors_are_enough);
        tcase_add_test(tests, a_session_takes_two_descriptors);
        tcase_add_test(tests, a_client_without_descriptors_is_told_so);
        tcase_add_test(tests, a_client_that_sees_nothing_but_the_socket_can_do_everything);
        tcase_add_test(tests, a_client_with_all_of_that_can_do_everything);
        tcase_add_test(
                tests, workers_of_the_demonstration_run_in_bubblewrap_with_an_inherited_session);
        tcase_add_test(tests, in_that_sandbox_there_is_no_socket_and_no_file);
        return harness_run(suite);
}
