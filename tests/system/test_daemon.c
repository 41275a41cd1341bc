// SPDX-License-Identifier: Apache-2.0
#include "test_daemon.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* ---- the command line ------------------------------------------------------------------------ */

START_TEST(help_is_printed)
{
        const char *arguments[] = {"--help", NULL};
        char output[4096], errors[4096];

        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 0);
        ck_assert_ptr_nonnull(strstr(output, "Usage: filememd"));
        ck_assert_ptr_nonnull(strstr(output, "--foreground"));
        ck_assert_str_eq(errors, "");
}
END_TEST

START_TEST(version_is_printed)
{
        const char *arguments[] = {"--version", NULL};
        char output[4096], errors[4096];

        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 0);
        ck_assert_str_eq(output, "filememd " FILEMEM_VERSION "\n");
        ck_assert_str_eq(errors, "");
}
END_TEST

static void write_file(const char *path, const char *text)
{
        FILE *file = fopen(path, "w");

        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        ck_assert_int_eq(fclose(file), 0);
}

/* It starts nothing: there need be no place for a socket. */
START_TEST(configuration_is_checked)
{
        char path[96], output[4096], errors[4096], expected[256];
        const char *arguments[] = {"--check-config", "--config", path, NULL};
        struct daemon daemon;

        daemon_prepare(&daemon);
        snprintf(path, sizeof(path), "%s/conf", daemon.folder);
        write_file(path, "[pool a]\njoin = root\n");
        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 0);
        ck_assert_str_eq(output, "");
        ck_assert_str_eq(errors, "");
        write_file(path, "[pool a]\njoin = nobody-at-all\n");
        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 1);
        snprintf(
                expected, sizeof(expected), "%s:2: join: there is no user 'nobody-at-all'\n", path);
        ck_assert_ptr_nonnull(strstr(errors, expected));
        daemon_remove(&daemon);
}
END_TEST

/* FOLDER stands for an empty folder, FILE for a file in it that is no socket. */
static const struct start_row {
        const char *arguments[4];
        const char *expected;
} start_rows[] = {
        {{"--bogus"}, "unknown option '--bogus'"},
        {{"-x"}, "unknown option '-x'"},
        {{"--socket"}, "option '--socket' needs an argument"},
        {{"--config"}, "option '--config' needs an argument"},
        {{"--socket", ""}, "option '--socket' needs an argument"},
        {{"--help=much"}, "option '--help=much' takes no argument"},
        {{"now"}, "unexpected argument 'now'"},
        {{"--foreground", "--", "--version"}, "unexpected argument '--version'"},
        {{"--config", "FOLDER/missing"}, "missing: cannot read it: No such file or directory"},
        {{"--config", "FOLDER"}, "cannot read it: Is a directory"},
        {{"--config", "FILE"}, "FILE:1: neither a [section] nor a 'key = value'"},
        {{"--socket", "FOLDER/missing/socket"}, "No such file or directory"},
        {{"--socket", "FILE"}, "FILE: exists and is no socket"},
        {{"--socket", "FOLDER"}, "FOLDER: exists and is no socket"},
        {{"--socket", "FILE/socket"}, "Not a directory"},
        {{"--socket",
                 "FOLDER/0123456789012345678901234567890123456789012345678901234567890123456789"
                 "012345678901234567890"},
                "the path is too long for a socket (107 bytes)"},
};

static void fill_in(char *filled, size_t size, const char *text, const char *folder)
{
        const char *rest = text + strcspn(text, "F");

        snprintf(filled, size, "%s", text);
        if (strncmp(rest, "FOLDER", 6) == 0)
                snprintf(filled, size, "%.*s%s%s", (int)(rest - text), text, folder, rest + 6);
        if (strncmp(rest, "FILE", 4) == 0)
                snprintf(filled, size, "%.*s%s/file%s", (int)(rest - text), text, folder, rest + 4);
}

START_TEST(wrong_start_is_one_line_and_code_1)
{
        const struct start_row *row = &start_rows[_i];
        char output[4096], errors[4096], filled[4][256], expected[256];
        const char *arguments[5] = {0};
        struct daemon daemon;
        FILE *file;

        daemon_prepare(&daemon);
        snprintf(output, sizeof(output), "%s/file", daemon.folder);
        file = fopen(output, "w");
        ck_assert_ptr_nonnull(file);
        fputs("what is this\n", file);
        fclose(file);
        for (int i = 0; i < 4 && row->arguments[i]; i++) {
                fill_in(filled[i], sizeof(filled[i]), row->arguments[i], daemon.folder);
                arguments[i] = filled[i];
        }
        fill_in(expected, sizeof(expected), row->expected, daemon.folder);
        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 1);
        ck_assert_str_eq(output, "");
        ck_assert_msg(strstr(errors, expected), "'%s' should have '%s'", errors, expected);
        ck_assert_ptr_eq(strchr(errors, '\n'), errors + strlen(errors) - 1);
        daemon_remove(&daemon);
}
END_TEST

/* ---- the socket file ------------------------------------------------------------------------- */

static void check_answers(const struct daemon *daemon)
{
        struct raw raw;

        raw_open(&raw, daemon->socket, "");
        raw_close(&raw);
}

START_TEST(stale_socket_is_replaced)
{
        struct daemon daemon;

        daemon_start(&daemon, NULL);
        ck_assert_int_eq(daemon_end(&daemon, SIGKILL), SIGKILL);
        ck_assert_int_eq(access(daemon.socket, F_OK), 0);
        daemon_launch(&daemon, NULL);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(live_socket_is_left_alone)
{
        const char *arguments[] = {"--socket", NULL, NULL};
        char output[4096], errors[4096];
        struct daemon daemon;

        daemon_start(&daemon, NULL);
        arguments[1] = daemon.socket;
        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 1);
        ck_assert_ptr_nonnull(strstr(errors, "in use by another filememd"));
        check_answers(&daemon);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(socket_of_another_program_is_left_alone)
{
        const char *arguments[] = {"--socket", NULL, NULL};
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char output[4096], errors[4096];
        struct daemon daemon;

        daemon_prepare(&daemon);
        strcpy(address.sun_path, daemon.socket);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        arguments[1] = daemon.socket;
        ck_assert_int_eq(daemon_run(arguments, output, errors, sizeof(output)), 1);
        ck_assert_ptr_nonnull(strstr(errors, "in use: somebody listens there"));
        ck_assert_int_eq(access(daemon.socket, F_OK), 0);
        close(fd);
        daemon_remove(&daemon);
}
END_TEST

#define RIVALS 8

/* Starts them as close together as it goes; returns how many are still there when the others ended.
 */
static int race(const struct daemon *daemon, pid_t *ret_winner)
{
        pid_t pids[RIVALS];
        int left = RIVALS, go[2];

        ck_assert_int_eq(pipe(go), 0);
        for (int i = 0; i < RIVALS; i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        char byte;

                        close(go[1]);
                        if (read(go[0], &byte, 1) < 0 || !freopen(daemon->log, "a", stderr))
                                _exit(126);
                        execl(FILEMEM_DAEMON, FILEMEM_DAEMON, "--foreground", "--socket",
                                daemon->socket, NULL);
                        _exit(127);
                }
        }
        close(go[0]);
        close(go[1]);
        for (int i = 0; i < RIVALS - 1; i++) {
                int status;
                pid_t pid = wait(&status);

                ck_assert_int_eq(status, 1 << 8);
                for (int j = 0; j < RIVALS; j++)
                        if (pids[j] == pid)
                                pids[j] = 0;
                left--;
        }
        for (int j = 0; j < RIVALS; j++)
                if (pids[j])
                        *ret_winner = pids[j];
        return left;
}

START_TEST(of_many_that_start_at_once_one_serves)
{
        struct daemon daemon;

        for (int round = 0; round < 5; round++) {
                daemon_prepare(&daemon);
                ck_assert_int_eq(race(&daemon, &daemon.pid), 1);
                daemon_await_answer(&daemon);
                check_answers(&daemon);
                daemon_stop(&daemon);
        }
}
END_TEST

START_TEST(socket_has_the_configured_mode)
{
        struct daemon daemon;
        struct stat info;

        umask(0077);
        daemon_start(&daemon, "[daemon]\nsocket_mode = 0622\n");
        ck_assert_int_eq(stat(daemon.socket, &info), 0);
        ck_assert_uint_eq(info.st_mode & 0777, 0622);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(nothing_is_left_after_a_clean_end)
{
        struct daemon daemon;
        char lock[128];

        daemon_start(&daemon, NULL);
        snprintf(lock, sizeof(lock), "%s.lock", daemon.socket);
        ck_assert_int_eq(access(lock, F_OK), 0);
        ck_assert_int_eq(daemon_end(&daemon, SIGTERM), 0);
        ck_assert_int_lt(access(daemon.socket, F_OK), 0);
        ck_assert_int_lt(access(lock, F_OK), 0);
        daemon_remove(&daemon);
}
END_TEST

START_TEST(socket_that_became_somebody_elses_is_not_removed)
{
        struct daemon daemon;
        FILE *file;

        daemon_start(&daemon, NULL);
        ck_assert_int_eq(unlink(daemon.socket), 0);
        file = fopen(daemon.socket, "w");
        ck_assert_ptr_nonnull(file);
        fclose(file);
        ck_assert_int_eq(daemon_end(&daemon, SIGTERM), 0);
        ck_assert_int_eq(access(daemon.socket, F_OK), 0);
        daemon_remove(&daemon);
}
END_TEST

/* The path comes from $FILEMEM_SOCKET, or the file, or is the one in $XDG_RUNTIME_DIR. */
START_TEST(socket_is_found_in_the_environment)
{
        struct daemon daemon;
        int status;

        daemon_prepare(&daemon);
        setenv("FILEMEM_SOCKET", daemon.socket, 1);
        daemon.pid = fork();
        if (daemon.pid == 0) {
                if (!freopen(daemon.log, "a", stderr))
                        _exit(126);
                execl(FILEMEM_DAEMON, FILEMEM_DAEMON, NULL);
                _exit(127);
        }
        daemon_await_answer(&daemon);
        check_answers(&daemon);
        status = daemon_end(&daemon, SIGTERM);
        ck_assert_int_eq(status, 0);
        daemon_remove(&daemon);
}
END_TEST

/* ---- stopping -------------------------------------------------------------------------------- */

/* A little less than the daemon waits at its end for those who do not take their answers. */
#define DRAIN_TIME (1900 * NSEC_PER_MSEC)

#define IN_FLIGHT 64

/* A request that is done at once, and one that is done on another thread, by turns. */
static void send_some(struct raw *raw, uint64_t start)
{
        for (int i = 0; i < IN_FLIGHT; i++) {
                struct raw_operation operations[2];

                raw_ping(&operations[0]);
                if (i % 4 == 1)
                        raw_decommit(&operations[0], start, start + PAGE, false);
                if (i % 4 == 3)
                        raw_update_usage(&operations[0]);
                raw_ping(&operations[1]);
                raw_request(raw, operations, 2);
        }
}

static void check_stop(int number)
{
        struct daemon daemon;
        struct raw raw;
        uint64_t start, first;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "in flight");
        start = raw_get(&raw, PAGE, 1);
        first = raw.next_id;
        /* Stopped, it finds the requests and the signal together. */
        ck_assert_int_eq(kill(daemon.pid, SIGSTOP), 0);
        send_some(&raw, start);
        ck_assert_int_eq(kill(daemon.pid, number), 0);
        ck_assert_int_eq(kill(daemon.pid, SIGCONT), 0);
        for (uint64_t id = first; id < first + IN_FLIGHT; id++) {
                const Filemem__Reply *reply = raw_receive_reply(&raw, id);

                ck_assert_uint_eq(reply->n_results, 2);
                ck_assert_int_eq(reply->results[0]->status, 0);
        }
        raw_receive_end(&raw);
        raw_close(&raw);
        ck_assert_int_eq(daemon_wait(&daemon), 0);
        daemon_remove(&daemon);
}

START_TEST(sigterm_answers_what_is_in_flight)
{
        check_stop(SIGTERM);
}
END_TEST

START_TEST(sigint_answers_what_is_in_flight)
{
        check_stop(SIGINT);
}
END_TEST

START_TEST(client_that_reads_nothing_does_not_hold_up_the_end)
{
        struct raw_operation operation;
        struct daemon daemon;
        struct raw raw;
        uint64_t begun;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "deaf");
        raw_daemon_status(&operation);
        ck_assert_int_eq(setsockopt(raw.fd, SOL_SOCKET, SO_SNDTIMEO,
                                 &(struct timeval){.tv_usec = 200000}, sizeof(struct timeval)),
                0);
        while (raw_try_request(&raw, &operation, 1) == 0)
                ;
        begun = clock_now();
        ck_assert_int_eq(daemon_end(&daemon, SIGTERM), 0);
        ck_assert_uint_ge(clock_now() - begun, DRAIN_TIME);
        ck_assert_uint_lt(clock_now() - begun, 30 * NSEC_PER_SEC);
        raw_close(&raw);
        daemon_remove(&daemon);
}
END_TEST

START_TEST(client_that_reads_late_gets_its_answers_at_the_end)
{
        struct raw_operation operation;
        struct daemon daemon;
        struct raw raw;
        uint64_t id, last;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "late");
        raw_daemon_status(&operation);
        ck_assert_int_eq(setsockopt(raw.fd, SOL_SOCKET, SO_SNDTIMEO,
                                 &(struct timeval){.tv_usec = 200000}, sizeof(struct timeval)),
                0);
        id = raw.next_id;
        while (raw_try_request(&raw, &operation, 1) == 0)
                ;
        last = raw.next_id - 2; /* the one after it was not taken */
        ck_assert_int_eq(kill(daemon.pid, SIGTERM), 0);
        for (; id <= last; id++)
                raw_receive_reply(&raw, id);
        raw_receive_end(&raw);
        raw_close(&raw);
        ck_assert_int_eq(daemon_wait(&daemon), 0);
        daemon_remove(&daemon);
}
END_TEST

/* Returns how long its end took. */
static uint64_t end_with_idle_sessions(void)
{
        struct daemon daemon;
        struct raw greeted, silent;
        uint64_t begun, took;

        daemon_start(&daemon, NULL);
        raw_open(&greeted, daemon.socket, "greeted");
        raw_get(&greeted, PAGE, 1);
        raw_connect(&silent, daemon.socket);
        begun = clock_now();
        ck_assert_int_eq(daemon_end(&daemon, SIGTERM), 0);
        took = clock_now() - begun;
        raw_receive_end(&greeted);
        raw_close(&greeted);
        raw_close(&silent);
        daemon_remove(&daemon);
        return took;
}

START_TEST(idle_sessions_end_with_the_daemon)
{
        uint64_t took = end_with_idle_sessions();

        /* The machine may have others to serve for a moment. */
        for (int i = 0; i < 5 && took >= DRAIN_TIME; i++)
                took = end_with_idle_sessions();
        ck_assert_uint_lt(took, DRAIN_TIME);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("daemon");
        TCase *tests = harness_case(suite, "command line", 30);

        tcase_add_test(tests, help_is_printed);
        tcase_add_test(tests, version_is_printed);
        tcase_add_test(tests, configuration_is_checked);
        tcase_add_loop_test(tests, wrong_start_is_one_line_and_code_1, 0,
                (int)(sizeof(start_rows) / sizeof(start_rows[0])));

        tests = harness_case(suite, "socket", 60);
        tcase_add_test(tests, stale_socket_is_replaced);
        tcase_add_test(tests, live_socket_is_left_alone);
        tcase_add_test(tests, socket_of_another_program_is_left_alone);
        tcase_add_test(tests, of_many_that_start_at_once_one_serves);
        tcase_add_test(tests, socket_has_the_configured_mode);
        tcase_add_test(tests, nothing_is_left_after_a_clean_end);
        tcase_add_test(tests, socket_that_became_somebody_elses_is_not_removed);
        tcase_add_test(tests, socket_is_found_in_the_environment);

        tests = harness_case(suite, "stopping", 60);
        tcase_add_test(tests, sigterm_answers_what_is_in_flight);
        tcase_add_test(tests, sigint_answers_what_is_in_flight);
        tcase_add_test(tests, client_that_reads_nothing_does_not_hold_up_the_end);
        tcase_add_test(tests, client_that_reads_late_gets_its_answers_at_the_end);
        tcase_add_test(tests, idle_sessions_end_with_the_daemon);

        add_lifetime_tests(suite);
        add_descriptor_tests(suite);
        add_traffic_tests(suite);
        add_answer_tests(suite);
        return harness_run(suite);
}
