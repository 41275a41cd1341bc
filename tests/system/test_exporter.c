// SPDX-License-Identifier: Apache-2.0
/* filemem-exporter beside the real daemon, and what Debian's Prometheus makes of it. */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/exporter.h"
#include "support/harness.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static struct daemon the_daemon;
static struct exporter the_exporter;

static void start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 64M\njoin = *\n"
                                  "[pool second]\ncapacity = 32M\njoin = *\n"
                                  "[private]\njoin = *\ncapacity = 16M\n");
        exporter_start(&the_exporter, the_daemon.socket);
        free(exporter_await(&the_exporter, "filemem_up 1"));
}

static void stop(void)
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
                execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
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

START_TEST(a_daemon_that_is_not_there_is_not_up_until_it_is)
{
        char *metrics;

        daemon_prepare(&the_daemon);
        exporter_start(&the_exporter, the_daemon.socket);
        metrics = exporter_get(&the_exporter, "/metrics");
        ck_assert_str_eq(metrics, "# HELP filemem_up Whether the daemon answers.\n"
                                  "# TYPE filemem_up gauge\nfilemem_up 0\n");
        free(metrics);
        daemon_launch(&the_daemon, NULL);
        free(exporter_await(&the_exporter, "filemem_up 1\n"));
        stop();
}
END_TEST

START_TEST(a_daemon_that_was_killed_and_started_again_is_up_again)
{
        char *metrics;

        daemon_end(&the_daemon, SIGKILL);
        free(exporter_await(&the_exporter, "filemem_up 0\n"));
        daemon_launch(&the_daemon, NULL);
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

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void check_code(const char *request, const char *code)
{
        char *answer = exporter_say(&the_exporter, request, 30);

        ck_assert_msg(strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 9, code, 3) == 0,
                "%.60s: %.80s", request, answer);
        free(answer);
}

#define END "Host: localhost\r\nConnection: close\r\n\r\n"

START_TEST(only_get_and_head_are_answered)
{
        char *answer;

        check_code("GET / HTTP/1.1\r\n" END, "200");
        check_code("GET / HTTP/1.1\r\nHost: 127.0.0.1:9847\r\nConnection: close\r\n\r\n", "200");
        check_code("GET / HTTP/1.1\r\nHost: [::1]:9847\r\nConnection: close\r\n\r\n", "200");
        check_code("GET / HTTP/1.0\r\n\r\n", "200");
        check_code("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "403");
        check_code(
                "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                "403");
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
        check_code("GET /nothing HTTP/1.1\r\n" END, "404");
        check_code("GET /../../etc/passwd HTTP/1.1\r\n" END, "404");
        check_code("GET /api/map HTTP/1.1\r\n" END, "400");
        check_code("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n" END, "405");
        check_code("DELETE /metrics HTTP/1.1\r\n" END, "405");
        check_code("PUT / HTTP/1.1\r\nContent-Length: 0\r\n" END, "405");
        answer = exporter_say(&the_exporter, "HEAD /metrics HTTP/1.1\r\n" END, 30);
        ck_assert_ptr_nonnull(strstr(answer, "200 OK"));
        ck_assert_ptr_null(strstr(answer, "filemem_up"));
        free(answer);
}
END_TEST

START_TEST(what_is_too_large_or_no_http_ends_the_connection)
{
        size_t size = 100000;
        char *request = malloc(size), *answer;

        ck_assert_ptr_nonnull(request);
        memset(request, 'a', size);
        memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
        request[size - 1] = '\0';
        answer = exporter_say(&the_exporter, request, 5);
        ck_assert(strncmp(answer, "HTTP/1.1 200", 12) != 0);
        free(answer);
        memset(request, 'a', size - 1);
        memcpy(request, "GET /", 5);
        answer = exporter_say(&the_exporter, request, 5);
        ck_assert(strncmp(answer, "HTTP/1.1 200", 12) != 0);
        free(answer);
        answer = exporter_say(&the_exporter, "\x16\x03\x01 no HTTP\r\n\r\n", 5);
        ck_assert(strncmp(answer, "HTTP/1.1 200", 12) != 0);
        free(answer);
        check_code("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n" END, "413");
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
        free(request);
}
END_TEST

/* More than there are descriptors: the others wait in the kernel, and nobody burns the processor.
 */
START_TEST(connections_that_say_nothing_keep_nobody_out_for_long)
{
        enum { MANY = 180 };
        int fds[MANY];

        for (int i = 0; i < MANY; i++)
                fds[i] = exporter_connect(&the_exporter);
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
        for (int i = 0; i < MANY; i++)
                close(fds[i]);
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
}
END_TEST

START_TEST(it_takes_over_a_socket_and_is_started_by_the_first_who_asks)
{
        struct exporter activated = {.port = (uint16_t)(20000 + getpid() % 20000)};
        char address[32];

        snprintf(address, sizeof(address), "127.0.0.1:%u", activated.port);
        activated.pid = fork();
        ck_assert_int_ge(activated.pid, 0);
        if (!activated.pid) {
                execlp("systemd-socket-activate", "systemd-socket-activate", "-l", address,
                        FILEMEM_EXPORTER, "--socket", the_daemon.socket, (char *)NULL);
                _exit(127);
        }
        exporter_await_listening(&activated);
        free(exporter_await(&activated, "filemem_up 1\n"));
        exporter_stop(&activated);
}
END_TEST

/* ---- Prometheus ------------------------------------------------------------------------------ */

static pid_t start_prometheus(const char *folder, unsigned port)
{
        char config[128], storage[128], listen[64], text[512];
        pid_t pid;
        FILE *file;

        snprintf(config, sizeof(config), "--config.file=%s/prometheus.yml", folder);
        snprintf(storage, sizeof(storage), "--storage.tsdb.path=%s/data", folder);
        snprintf(listen, sizeof(listen), "--web.listen-address=127.0.0.1:%u", port);
        snprintf(text, sizeof(text),
                "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n"
                "rule_files: [%s]\n"
                "scrape_configs:\n- job_name: filemem\n  static_configs:\n"
                "  - targets: ['127.0.0.1:%u']\n",
                FILEMEM_ALERTS, the_exporter.port);
        file = fopen(config + strlen("--config.file="), "w");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        fclose(file);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (!pid) {
                int null = open("/dev/null", O_WRONLY);

                dup2(null, STDERR_FILENO);
                execlp("prometheus", "prometheus", config, storage, listen, (char *)NULL);
                _exit(127);
        }
        return pid;
}

/* The answer to a query as a number; -1 as long as there is none. */
static double query(unsigned port, const char *expression)
{
        const struct exporter prometheus = {.port = (uint16_t)port};
        json_t *json, *first;
        char request[512], *answer, *body;
        double value = -1;

        snprintf(request, sizeof(request),
                "GET /api/v1/query?query=%s HTTP/1.0\r\nHost: localhost\r\n\r\n", expression);
        answer = exporter_say(&prometheus, request, 30);
        body = strstr(answer, "\r\n\r\n");
        json = body ? json_loads(body, 0, NULL) : NULL; /* else it is not ready yet */
        first = json_array_get(json_object_get(json_object_get(json, "data"), "result"), 0);
        if (first)
                value = strtod(
                        json_string_value(json_array_get(json_object_get(first, "value"), 1)),
                        NULL);
        json_decref(json);
        free(answer);
        return value;
}

static void await_value(unsigned port, const char *expression, double value)
{
        double found = -1;

        for (int i = 0; i < 300; i++) {
                found = query(port, expression);
                if (found >= value)
                        return;
                usleep(100000);
        }
        ck_abort_msg("%s is %g, not %g", expression, found, value);
}

START_TEST(prometheus_scrapes_it)
{
        const char *folder = harness_make_folder();
        unsigned port = 20000 + (unsigned)getpid() % 20000;
        filemem_session *session = open_with((struct filemem_options){0});
        pid_t pid = start_prometheus(folder, port);
        struct filemem_range range;

        exporter_await_listening(&(struct exporter){.port = (uint16_t)port});
        ck_assert_int_eq(filemem_allocate(session, 7 * PAGE, FILEMEM_MAPPED, &range), 0);
        await_value(port, "up", 1);
        await_value(port, "filemem_up", 1);
        await_value(port, "sum(filemem_pool_allocated_bytes)", 7 * (double)PAGE);
        await_value(port, "sum(count_over_time(filemem_up%5B1h%5D))", 10);
        await_value(port,
                "histogram_quantile(0.99,sum(filemem_request_duration_seconds_bucket)by(le))",
                1e-7);
        ck_assert(query(port, "sum(scrape_samples_scraped)") > 50);
        ck_assert(query(port, "sum(avg_over_time(up%5B1m%5D))") > 0.8);
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        filemem_close(session);
        harness_remove_folder(folder);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("exporter");
        TCase *exporter = harness_case(suite, "Exporter", 60);
        TCase *absent = harness_case(suite, "Absent", 60);

        tcase_add_checked_fixture(exporter, start, stop);
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
        tcase_add_test(exporter, only_get_and_head_are_answered);
        tcase_add_test(exporter, what_is_too_large_or_no_http_ends_the_connection);
        tcase_add_test(exporter, connections_that_say_nothing_keep_nobody_out_for_long);
        tcase_add_test(exporter, it_takes_over_a_socket_and_is_started_by_the_first_who_asks);
        tcase_add_test(exporter, prometheus_scrapes_it);
        tcase_add_test(absent, a_daemon_that_is_not_there_is_not_up_until_it_is);
        return harness_run(suite);
}
