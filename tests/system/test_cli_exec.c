// SPDX-License-Identifier: Apache-2.0
/* `filememctl exec` with the real daemon: what a program inherits, and how it ends. */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the program that inherits --------------------------------------------------------------- */

static int count_fds(void)
{
        int count = 0;

        for (int fd = 0; fd < 256; fd++)
                count += fcntl(fd, F_GETFD) >= 0;
        return count;
}

/* Says on one line what session it has, and what it can do with it. */
static int inherit(void)
{
        filemem_session *session;
        struct filemem_session_info info;
        struct filemem_pool pool;
        struct filemem_range range;
        void *address;
        int r = filemem_open(NULL, NULL, &session);

        if (r < 0) {
                printf("none: %s\n", filemem_open_error());
                return 1;
        }
        if (filemem_pool_info(session, &pool) < 0 || filemem_sessions(session, 0, &info, 1) != 1)
                return 1;
        r = filemem_allocate(session, 4096, FILEMEM_ANONYMOUS, &range);
        if (r == 0) {
                filemem_map(session, range, PROT_READ | PROT_WRITE, &address);
                strcpy(address, "written");
        }
        printf("%s%s, %s, %s, %d descriptors\n", pool.private_pool ? "private pool" : "pool ",
                pool.private_pool ? "" : pool.name,
                filemem_is_read_only(session) ? "reads" : "writes",
                r == 0 ? (char *)address : "refused", count_fds());
        filemem_close(session);
        return 0;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static struct daemon the_daemon;
static char self[200];

static void start(void)
{
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

        ck_assert_int_gt(length, 0);
        self[length] = '\0';
        daemon_start(&the_daemon, "[pool default]\ncapacity = 64M\njoin = *\n[pool "
                                  "other]\ncapacity = 64M\njoin = *\n");
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
}

static void stop(void)
{
        unsetenv("FILEMEM_SOCKET");
        daemon_stop(&the_daemon);
}

/* Runs ourselves as the program, which has to find this. */
static void assert_inherits(const char *options, const char *expected)
{
        char line[512];

        snprintf(line, sizeof(line), "exec %s %s inherit", options, self);
        ck_assert_msg(
                !strncmp(ctl_get(line), expected, strlen(expected)), "%s: %s", options, ctl_output);
}

START_TEST(a_program_inherits_a_session)
{
        assert_inherits("", "pool default, writes, written");
        assert_inherits("--", "pool default, writes, written");
        assert_inherits("--pool other --", "pool other, writes, written");
        assert_inherits("--private", "private pool, writes, written");
        assert_inherits("--read-only --pool=other", "pool other, reads, refused");
        assert_inherits("--private --read-only", "private pool, reads, refused");
}
END_TEST

/* As many descriptors as one that has connected by itself: the session of filememctl is gone. */
START_TEST(it_inherits_nothing_else)
{
        char with[256], line[512];

        snprintf(line, sizeof(line), "ping >/dev/null; %s inherit", self);
        snprintf(with, sizeof(with), "%s", ctl_get(line));
        snprintf(line, sizeof(line), "exec %s inherit", self);
        ck_assert_str_eq(strstr(ctl_get(line), "written"), strstr(with, "written"));
}
END_TEST

/* A shell may take its time before it starts what opens the session. */
START_TEST(what_a_program_starts_inherits_it_too)
{
        char line[512];

        snprintf(line, sizeof(line), "exec --private sh -c 'true; %s inherit; exit 9'", self);
        ck_assert_int_eq(ctl_run(line), 9);
        ck_assert_msg(!strncmp(ctl_output, "private pool, writes", 20), "%s", ctl_output);
        snprintf(line, sizeof(line), "exec sh -c '%s inherit; %s inherit'", self, self);
        ck_assert_int_ne(ctl_run(line), 0);
}
END_TEST

START_TEST(operators_see_it_by_the_name_of_the_program)
{
        ck_assert_ptr_nonnull(strstr(
                ctl_get("exec sh -c 'exec 2>&1; $0 sessions --raw; :' " FILEMEM_CTL), " sh\n"));
}
END_TEST

START_TEST(the_pool_ends_with_the_program)
{
        char line[512];

        snprintf(line, sizeof(line), "exec --private %s inherit", self);
        ctl_get(line);
        for (int i = 0; i < 2000; i++) {
                if (!strstr(ctl_get("pools --json"), "\"private\":true"))
                        return;
                usleep(5000);
        }
        ck_abort_msg("a private pool is left");
}
END_TEST

START_TEST(a_program_that_cannot_be_started)
{
        ck_assert_str_eq(ctl_fail(127, "exec /nonexistent/program"),
                "exec: cannot start /nonexistent/program: No such file or directory: say its path, "
                "or a name that $PATH has");
        ck_assert_str_eq(ctl_fail(127, "exec no-such-program x"),
                "exec: cannot start no-such-program: No such file or directory: say its path, or a "
                "name that $PATH has");
        ck_assert_str_eq(ctl_fail(126, "exec /"),
                "exec: cannot start /: Permission denied: it has to be a program that you may run");
        ck_assert_str_eq(ctl_fail(126, "exec /dev/null"),
                "exec: cannot start /dev/null: Permission denied: "
                "it has to be a program that you may run");
}
END_TEST

START_TEST(the_exit_code_is_that_of_the_program)
{
        ck_assert_int_eq(ctl_run("exec true"), 0);
        ck_assert_int_eq(ctl_run("exec -- sh -c 'exit 77'"), 77);
        ck_assert_str_eq(ctl_get("exec echo --json -- -x"), "--json -- -x\n");
}
END_TEST

START_TEST(refusals_start_nothing)
{
        ctl_fail(3, "exec --socket /nonexistent echo started");
        ck_assert_str_eq(ctl_fail(1, "exec --pool nowhere echo started"),
                "exec: there is no pool of that name: 'filememctl pools' lists those that you may "
                "know of");
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite;
        TCase *tests;

        if (argc > 1 && !strcmp(argv[1], "inherit"))
                return inherit(); /* before there is anything to free */
        suite = suite_create("cli exec");
        tests = harness_case(suite, "cli exec", 60);
        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, a_program_inherits_a_session);
        tcase_add_test(tests, it_inherits_nothing_else);
        tcase_add_test(tests, what_a_program_starts_inherits_it_too);
        tcase_add_test(tests, operators_see_it_by_the_name_of_the_program);
        tcase_add_test(tests, the_pool_ends_with_the_program);
        tcase_add_test(tests, a_program_that_cannot_be_started);
        tcase_add_test(tests, the_exit_code_is_that_of_the_program);
        tcase_add_test(tests, refusals_start_nothing);
        return harness_run(suite);
}
