// SPDX-License-Identifier: Apache-2.0
/* filemem-exporter beside the real daemon, and what Debian's Prometheus makes of it. */
#include "test_exporter.h"

#include "filemem/filemem.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

struct daemon the_daemon;
struct exporter the_exporter;

void exporter_test_start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 64M\njoin = *\n"
                                  "[pool second]\ncapacity = 32M\njoin = *\n"
                                  "[private]\njoin = *\ncapacity = 16M\n");
        exporter_start(&the_exporter, the_daemon.socket);
        free(exporter_await(&the_exporter, "filemem_up 1"));
}

void exporter_test_stop(void)
{
        exporter_stop(&the_exporter);
        daemon_stop(&the_daemon);
}

static filemem_session *open_with(struct filemem_options options)
{
        filemem_session *session;

        options.size = sizeof(options);
        ck_assert_msg(filemem_open(the_daemon.socket, &options, &session) == 0, "%s",
                filemem_open_error());
        return session;
}

/* What promtool says of this, as its exit code; its words are in the log. */
static int check_metrics(const char *metrics)
{
        FILE *file = tmpfile();
        pid_t pid;
        int status;

        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(metrics, 1, strlen(metrics), file), strlen(metrics));
        rewind(file);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (!pid) {
                dup2(fileno(file), STDIN_FILENO);
                execl(FILEMEM_PROMTOOL, "promtool", "check", "metrics", (char *)NULL);
                _exit(127);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        fclose(file);
        return WEXITSTATUS(status);
}

/* ---- metrics --------------------------------------------------------------------------------- */

START_TEST(metrics_are_what_was_done_and_promtool_finds_nothing_to_say)
{
        filemem_session *session = open_with((struct filemem_options){0});
        struct filemem_range range;
        char *metrics;
        void *address;

        ck_assert_int_eq(filemem_allocate(session, 8 * PAGE, FILEMEM_TMPFS, &range), 0);
        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        memset(address, 1, 3 * PAGE);
        ck_assert_int_eq(
                filemem_incref(session, (struct filemem_range){0, UINT64_C(1) << 40}), -22);
        ck_assert_int_eq(filemem_allocate(session, UINT64_C(1) << 30, FILEMEM_TMPFS, &range), -12);
        metrics = exporter_await(&the_exporter, "filemem_refusals_total{reason=\"pool_full\"} 1\n");
        free(metrics);
        metrics = exporter_await(&the_exporter,
                "filemem_pool_committed_bytes{pool=\"default\",kind=\"Tmpfs\"} 12288\n");
        ck_assert_ptr_nonnull(strstr(metrics,
                "\nfilemem_pool_allocated_bytes{pool=\"default\",kind=\"Tmpfs\"} 32768\n"));
        ck_assert_ptr_nonnull(
                strstr(metrics, "\nfilemem_pool_stored_bytes{pool=\"default\"} 12288\n"));
        ck_assert_ptr_nonnull(strstr(metrics, "\nfilemem_pools 2\n"));
        ck_assert_ptr_nonnull(strstr(metrics, "\nfilemem_allocated_bytes_total 32768\n"));
        ck_assert_ptr_nonnull(strstr(
                metrics, "\nfilemem_request_duration_seconds_count{operation=\"allocate\"} 2\n"));
        ck_assert_ptr_nonnull(strstr(metrics, "\nfilemem_request_duration_seconds_bucket{operation="
                                              "\"allocate\",le=\"+Inf\"} 2\n"));
        ck_assert_int_eq(check_metrics(metrics), 0);
        free(metrics);
        filemem_close(session);
}
END_TEST

static char *read_file(const char *path)
{
        char *text = calloc(1, 1 << 20);
        FILE *file = fopen(path, "r");

        ck_assert(text && file);
        ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
        fclose(file);
        return text;
}

static void cut_end(char *name, const char *end)
{
        size_t length = strlen(name), tail = strlen(end);

        if (length > tail && strcmp(name + length - tail, end) == 0)
                name[length - tail] = '\0';
}

/* Each name of a metric in a document is one that there is. */
static size_t check_names(const char *document, const char *metrics)
{
        char *text = read_file(document), name[64], line[96];
        size_t count = 0;

        for (char *at = text; (at = strstr(at, "filemem_")); count++) {
                size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

                ck_assert_uint_lt(length, sizeof(name));
                memcpy(name, at, length);
                name[length] = '\0';
                cut_end(name, "_bucket");
                cut_end(name, "_count");
                snprintf(line, sizeof(line), "# TYPE %s ", name);
                ck_assert_msg(strstr(metrics, line) != NULL, "%s: no %s", document, name);
                at += length;
        }
        free(text);
        return count;
}

START_TEST(what_alerts_and_dashboard_ask_for_is_there)
{
        char *metrics = exporter_get(&the_exporter, "/metrics");

        ck_assert_uint_gt(check_names(FILEMEM_ALERTS, metrics), 5);
        if (getuid() == 0) /* else there are no users to see, but the dashboard has them */
                ck_assert_uint_gt(check_names(FILEMEM_DASHBOARD, metrics), 20);
        free(metrics);
}
END_TEST

START_TEST(private_pools_are_one_to_metrics)
{
        filemem_session *sessions[3];
        struct filemem_range range;
        char *metrics;

        for (int i = 0; i < 3; i++) {
                sessions[i] = open_with((struct filemem_options){.private_pool = true});
                ck_assert_int_eq(filemem_allocate(sessions[i], PAGE, FILEMEM_ANONYMOUS, &range), 0);
        }
        metrics = exporter_await(&the_exporter,
                "filemem_pool_allocated_bytes{pool=\"private:*\",kind=\"Anonymous\"} 12288\n");
        ck_assert_ptr_nonnull(
                strstr(metrics, "\nfilemem_pool_capacity_bytes{pool=\"private:*\"} 50331648\n"));
        ck_assert_ptr_nonnull(strstr(metrics, "\nfilemem_pools 5\n"));
        ck_assert_ptr_null(strstr(metrics, "private:1\""));
        free(metrics);
        for (int i = 0; i < 3; i++)
                filemem_close(sessions[i]);
}
END_TEST

START_TEST(open_metrics_are_told_apart)
{
        char *answer = exporter_say(&the_exporter,
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                "Accept: application/openmetrics-text; version=1.0.0\r\n\r\n",
                30);

        ck_assert_ptr_nonnull(strstr(answer, "Content-Type: application/openmetrics-text"));
        ck_assert_ptr_nonnull(strstr(answer, "\n# TYPE filemem_requests counter\n"));
        ck_assert_ptr_nonnull(strstr(answer, "\n# UNIT filemem_reclaimed_bytes bytes\n"));
        ck_assert_str_eq(answer + strlen(answer) - 6, "# EOF\n");
        free(answer);
}
END_TEST

/* ---- the daemon comes and goes --------------------------------------------------------------- */

/* Who counts its descriptors at the start wants to be alone with it. */
static void launch_again(void)
{
        ck_assert_int_eq(kill(the_exporter.pid, SIGSTOP), 0);
        daemon_launch(&the_daemon, NULL);
        ck_assert_int_eq(kill(the_exporter.pid, SIGCONT), 0);
}

START_TEST(a_daemon_that_is_not_there_is_not_up_until_it_is)
{
        char *metrics;

        daemon_prepare(&the_daemon);
        exporter_start(&the_exporter, the_daemon.socket);
        metrics = exporter_get(&the_exporter, "/metrics");
        ck_assert_str_eq(metrics, "# HELP filemem_up Whether the daemon answers.\n"
                                  "# TYPE filemem_up gauge\nfilemem_up 0\n");
        free(metrics);
        launch_again();
        free(exporter_await(&the_exporter, "filemem_up 1\n"));
        exporter_test_stop();
}
END_TEST

START_TEST(a_daemon_that_was_killed_and_started_again_is_up_again)
{
        char *metrics;

        daemon_end(&the_daemon, SIGKILL);
        free(exporter_await(&the_exporter, "filemem_up 0\n"));
        launch_again();
        metrics = exporter_await(&the_exporter, "filemem_up 1\n");
        ck_assert_ptr_nonnull(strstr(metrics, "\nfilemem_daemon_restarts_total 1\n"));
        free(metrics);
}
END_TEST

/* Nothing that is shown waits for the daemon. */
START_TEST(a_daemon_that_hangs_is_not_up_and_the_exporter_answers)
{
        ck_assert_int_eq(kill(the_daemon.pid, SIGSTOP), 0);
        free(exporter_await(&the_exporter, "filemem_up 0\n"));
        ck_assert_int_eq(kill(the_daemon.pid, SIGCONT), 0);
        free(exporter_await(&the_exporter, "filemem_up 1\n"));
}
END_TEST

/* Its thread waits for an answer then, and may end in the middle of the exit. */
START_TEST(a_daemon_that_hangs_does_not_keep_the_exporter_from_ending)
{
        pid_t waker;

        ck_assert_int_eq(kill(the_daemon.pid, SIGSTOP), 0);
        free(exporter_await(&the_exporter, "filemem_up 0\n"));
        waker = fork();
        ck_assert_int_ge(waker, 0);
        if (!waker) {
                usleep(1400000);
                kill(the_daemon.pid, SIGCONT);
                _exit(0);
        }
        exporter_stop(&the_exporter);
        ck_assert_int_eq(waitpid(waker, NULL, 0), waker);
        exporter_start(&the_exporter, the_daemon.socket);
}
END_TEST

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *get_json(const char *path)
{
        char *text = exporter_get(&the_exporter, path);
        json_error_t error;
        json_t *json = json_loads(text, 0, &error);

        ck_assert_msg(json != NULL, "%s: %.200s", error.text, text);
        free(text);
        return json;
}

static const char *get_text(json_t *object, const char *name)
{
        return json_string_value(json_object_get(object, name));
}

START_TEST(sessions_are_in_json_those_that_hold_most_first)
{
        filemem_session *small = open_with((struct filemem_options){.label = "small \"quoted\""});
        filemem_session *large = open_with((struct filemem_options){.label = "large"});
        struct filemem_range range;
        json_t *json, *list;

        ck_assert_int_eq(filemem_allocate(small, PAGE, FILEMEM_ANONYMOUS, &range), 0);
        ck_assert_int_eq(filemem_allocate(large, 9 * PAGE, FILEMEM_ANONYMOUS, &range), 0);
        free(exporter_await(&the_exporter, "filemem_allocations_total 2\n"));
        usleep(200000);
        json = get_json("/api/statistics");
        list = json_object_get(json, "sessions");
        ck_assert_uint_eq(json_array_size(list), 3);
        ck_assert_str_eq(get_text(json_array_get(list, 0), "label"), "large");
        ck_assert_str_eq(get_text(json_array_get(list, 1), "label"), "small \"quoted\"");
        ck_assert_str_eq(get_text(json_array_get(list, 2), "label"), "filemem-exporter");
        ck_assert_uint_eq(json_array_size(json_object_get(json, "pools")), 2);
        json_decref(json);
        filemem_close(large);
        filemem_close(small);
}
END_TEST

static json_t *await_map(const char *path)
{
        for (int i = 0; i < 300; i++) {
                json_t *json = get_json(path);

                if (json_is_true(json_object_get(json, "ready")))
                        return json;
                json_decref(json);
                usleep(100000);
        }
        ck_abort_msg("no map");
}

START_TEST(a_map_adds_up_to_what_is_allocated)
{
        filemem_session *session = open_with((struct filemem_options){.pool = "second"});
        struct filemem_range first, second;
        json_int_t held = 0, anonymous = 0;
        json_t *json, *cells, *cell;
        size_t i;

        ck_assert_int_eq(filemem_allocate(session, 3 * PAGE, FILEMEM_ANONYMOUS, &first), 0);
        ck_assert_int_eq(filemem_allocate(session, 5 << 20, FILEMEM_TMPFS, &second), 0);
        json = await_map("/api/map?pool=second");
        cells = json_object_get(json, "cells");
        ck_assert_uint_gt(json_array_size(cells), 500);
        json_array_foreach(cells, i, cell)
        {
                held += json_integer_value(json_array_get(cell, 1));
                if (json_integer_value(json_array_get(cell, 0)) == FILEMEM_ANONYMOUS)
                        anonymous += json_integer_value(json_array_get(cell, 1));
        }
        ck_assert_int_eq(held, 3 * (json_int_t)PAGE + (5 << 20));
        ck_assert_int_eq(anonymous, 3 * (json_int_t)PAGE);
        json_decref(json);
        filemem_close(session);
}
END_TEST

START_TEST(a_map_of_no_pool_is_never_ready)
{
        for (int i = 0; i < 20; i++) {
                json_t *json = get_json("/api/map?pool=none%00%22");

                ck_assert(!json_is_true(json_object_get(json, "ready")));
                json_decref(json);
                json = get_json("/api/map?pool=nowhere");
                ck_assert(!json_is_true(json_object_get(json, "ready")));
                json_decref(json);
                usleep(50000);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("exporter");
        TCase *absent = harness_case(suite, "Absent", 60);
        TCase *exporter = harness_case(suite, "Exporter", 200);

        tcase_add_checked_fixture(exporter, exporter_test_start, exporter_test_stop);
        tcase_add_test(exporter, metrics_are_what_was_done_and_promtool_finds_nothing_to_say);
        tcase_add_test(exporter, what_alerts_and_dashboard_ask_for_is_there);
        tcase_add_test(exporter, private_pools_are_one_to_metrics);
        tcase_add_test(exporter, open_metrics_are_told_apart);
        tcase_add_test(exporter, a_daemon_that_was_killed_and_started_again_is_up_again);
        tcase_add_test(exporter, a_daemon_that_hangs_is_not_up_and_the_exporter_answers);
        tcase_add_test(exporter, a_daemon_that_hangs_does_not_keep_the_exporter_from_ending);
        tcase_add_test(exporter, sessions_are_in_json_those_that_hold_most_first);
        tcase_add_test(exporter, a_map_adds_up_to_what_is_allocated);
        tcase_add_test(exporter, a_map_of_no_pool_is_never_ready);
        tcase_add_test(absent, a_daemon_that_is_not_there_is_not_up_until_it_is);
        add_http_tests(exporter);
        add_prometheus_tests(exporter); /* the last */
        return harness_run(suite);
}
