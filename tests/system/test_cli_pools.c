// SPDX-License-Identifier: Apache-2.0
/* filememctl, for those who administer. */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct daemon the_daemon;
static char output[1 << 16];

static void start(void)
{
        daemon_start(&the_daemon, "[pool second]\ncapacity = 16M\njoin = *\n");
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

/* Runs filememctl with its input from nowhere. Returns its exit code; output has both streams. */
static int ctl(const char *arguments)
{
        char words[256], *rest = strcpy(words, arguments), *argv[8] = {FILEMEM_CTL};
        size_t used = 0;
        int ends[2], status;
        pid_t child;
        ssize_t n;

        for (int i = 1; rest && i < 7; i++)
                argv[i] = strsep(&rest, " ");
        ck_assert_int_eq(pipe(ends), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                close(STDIN_FILENO);
                if (open("/dev/null", O_RDONLY) == STDIN_FILENO &&
                        dup2(ends[1], STDOUT_FILENO) >= 0 && dup2(ends[1], STDERR_FILENO) >= 0)
                        execv(FILEMEM_CTL, argv);
                _exit(127);
        }
        close(ends[1]);
        while ((n = read(ends[0], output + used, sizeof(output) - 1 - used)) > 0)
                used += (size_t)n;
        output[used] = 0;
        close(ends[0]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* The same at a terminal, where somebody types `answer` when asked. */
static int ctl_at_terminal(const char *answer, const char *command, const char *word)
{
        size_t used = 0;
        ssize_t n;
        int terminal, status;
        pid_t child = forkpty(&terminal, NULL, NULL, NULL);

        ck_assert_int_ge(child, 0);
        if (!child) {
                execl(FILEMEM_CTL, "filememctl", command, word, NULL);
                _exit(127);
        }
        while ((n = read(terminal, output + used, sizeof(output) - 1 - used)) > 0) {
                used += (size_t)n;
                output[used] = 0;
                if (answer && strstr(output, "[y/N] ")) {
                        ck_assert_int_gt(write(terminal, answer, strlen(answer)), 0);
                        answer = NULL;
                }
        }
        close(terminal);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        ck_assert_msg(!answer, "nothing was asked: %s", output);
        return WEXITSTATUS(status);
}

static filemem_session *open_in(const char *pool)
{
        const struct filemem_options options = {
                .size = sizeof(options), .pool = pool, .label = "somebody"};
        filemem_session *session;

        ck_assert_msg(filemem_open(NULL, &options, &session) == 0, "%s", filemem_open_error());
        return session;
}

START_TEST(pools_are_listed)
{
        filemem_session *session = open_in("second");
        struct filemem_range range;

        ck_assert_int_eq(filemem_allocate(session, 8192, FILEMEM_TMPFS, &range), 0);
        ck_assert_int_eq(ctl("pools"), 0);
        ck_assert_ptr_nonnull(strstr(output, "default"));
        ck_assert_ptr_nonnull(strstr(output, "second"));
        ck_assert_ptr_nonnull(strstr(output, "open"));
        ck_assert_int_eq(ctl("pools --json"), 0);
        ck_assert_ptr_nonnull(strstr(output, "8192"));
        ck_assert_int_eq(ctl("usage second"), 0);
        ck_assert_ptr_nonnull(strstr(output, "8K"));
        ck_assert_int_eq(ctl("dump second"), 0);
        ck_assert_ptr_nonnull(strstr(output, "Tmpfs"));
        ck_assert_int_eq(ctl("status second"), 0);
        ck_assert_ptr_nonnull(strstr(output, "16M"));
        ck_assert_int_eq(ctl("usage third"), 1);
        ck_assert_ptr_nonnull(strstr(output, "there is no pool of that name"));
        filemem_close(session);
}
END_TEST

START_TEST(pool_is_destroyed)
{
        filemem_session *session = open_in("second");

        ck_assert_int_eq(ctl("destroy second"), 0);
        ck_assert_str_eq(output, "");
        ck_assert_int_lt(filemem_ping(session), 0);
        ck_assert_str_eq(filemem_last_error(session), "the pool was destroyed by an administrator");
        ck_assert_int_eq(filemem_ping(session), -ECONNRESET);
        ck_assert_int_eq(ctl("destroy third"), 1);
        filemem_close(session);
}
END_TEST

START_TEST(somebody_at_a_terminal_is_asked)
{
        filemem_session *session = open_in("second");

        ck_assert_int_eq(ctl_at_terminal("n\n", "destroy", "second"), 1);
        ck_assert_ptr_nonnull(strstr(output, "Destroy pool second, with 1 sessions in it? [y/N]"));
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(ctl_at_terminal("\n", "destroy", "second"), 1);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(ctl_at_terminal("y\n", "destroy", "second"), 0);
        ck_assert_int_lt(filemem_ping(session), 0);
        filemem_close(session);
}
END_TEST

START_TEST(yes_is_not_asked)
{
        filemem_session *session = open_in("second");

        ck_assert_int_eq(ctl_at_terminal(NULL, "--yes", "destroy"), 2);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(ctl("-y destroy second"), 0);
        ck_assert_int_lt(filemem_ping(session), 0);
        filemem_close(session);
}
END_TEST

START_TEST(session_is_kicked)
{
        filemem_session *session = open_in("second");
        char arguments[64];

        snprintf(arguments, sizeof(arguments), "kick %llu",
                (unsigned long long)filemem_session_id(session));
        ck_assert_int_eq(ctl(arguments), 0);
        ck_assert_int_eq(filemem_ping(session), -EPERM);
        ck_assert_int_eq(ctl(arguments), 1);
        ck_assert_ptr_nonnull(strstr(output, "there is no such session"));
        filemem_close(session);
}
END_TEST

START_TEST(configuration_is_read_again)
{
        daemon_write_config(&the_daemon, "[pool third]\n");
        ck_assert_int_eq(ctl("reload"), 0);
        ck_assert_int_eq(ctl("pools"), 0);
        ck_assert_ptr_nonnull(strstr(output, "third"));
        ck_assert_ptr_null(strstr(output, "second"));
        daemon_write_config(&the_daemon, "[pool third]\nhuge_mistake = 1\n");
        ck_assert_int_eq(ctl("reload"), 1);
        ck_assert_ptr_nonnull(
                strstr(output, ".conf:2: unknown key 'huge_mistake' in [pool third]"));
}
END_TEST

START_TEST(wrong_words_are_2)
{
        ck_assert_int_eq(ctl("destroy"), 2);
        ck_assert_int_eq(ctl("kick"), 2);
        ck_assert_int_eq(ctl("kick default"), 2);
        ck_assert_int_eq(ctl("kick -1"), 2);
        ck_assert_int_eq(ctl("kick 1 2"), 2);
        ck_assert_int_eq(ctl("destroy second third"), 2);
        ck_assert_int_eq(ctl("pools second"), 2);
        ck_assert_int_eq(ctl("reload now"), 2);
}
END_TEST

/* It is somebody's session, for a program of his. */
START_TEST(inherited_session_is_left_alone)
{
        setenv("FILEMEM_FD", "0", 1);
        ck_assert_int_eq(ctl("pools"), 0);
        unsetenv("FILEMEM_FD");
}
END_TEST

START_TEST(pools_are_drained_and_shown_so)
{
        filemem_session *session = open_in("second");

        daemon_write_config(&the_daemon, "");
        ck_assert_int_eq(ctl("reload"), 0);
        ck_assert_int_eq(ctl("pools"), 0);
        ck_assert_ptr_nonnull(strstr(output, "draining"));
        filemem_close(session);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli pools");
        TCase *tests = harness_case(suite, "cli pools", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, pools_are_listed);
        tcase_add_test(tests, pool_is_destroyed);
        tcase_add_test(tests, somebody_at_a_terminal_is_asked);
        tcase_add_test(tests, yes_is_not_asked);
        tcase_add_test(tests, session_is_kicked);
        tcase_add_test(tests, configuration_is_read_again);
        tcase_add_test(tests, wrong_words_are_2);
        tcase_add_test(tests, inherited_session_is_left_alone);
        tcase_add_test(tests, pools_are_drained_and_shown_so);
        return harness_run(suite);
}
