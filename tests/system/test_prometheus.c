// SPDX-License-Identifier: Apache-2.0
/* What Debian's Prometheus makes of filemem-exporter within a minute. */
#include "test_exporter.h"

#include "filemem/filemem.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* A minute, in scrapes; where a sanitizer makes everything slow, a quarter of one. */
#define INTERVAL "5s"
#define SCRAPES  (harness_slowness() > 1 ? 4 : 13)

/* All of it is there while other tests run, in the program that forks them. */
static struct {
        struct daemon daemon;
        struct exporter exporter;
        struct exporter prometheus; /* which is spoken to in the same way */
        char folder[64];
} scene;

static void write_config(const char *path)
{
        FILE *file = fopen(path, "we");

        ck_assert_ptr_nonnull(file);
        fprintf(file,
                "global:\n  scrape_interval: " INTERVAL "\n  evaluation_interval: " INTERVAL "\n"
                "rule_files: [%s]\n"
                "scrape_configs:\n- job_name: filemem\n  static_configs:\n"
                "  - targets: ['127.0.0.1:%u']\n",
                FILEMEM_ALERTS, scene.exporter.port);
        ck_assert_int_eq(fclose(file), 0);
}

static void become_prometheus(const char *config)
{
        char file[160], storage[160], listen[64];
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        snprintf(file, sizeof(file), "--config.file=%s", config);
        snprintf(storage, sizeof(storage), "--storage.tsdb.path=%s/data", scene.folder);
        snprintf(
                listen, sizeof(listen), "--web.listen-address=127.0.0.1:%u", scene.prometheus.port);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, STDERR_FILENO);
        execl(FILEMEM_PROMETHEUS, "prometheus", file, storage, listen, (char *)NULL);
        _exit(127);
}

static void start_prometheus(void)
{
        char config[128];

        daemon_start(&scene.daemon, "[pool default]\ncapacity = 64M\njoin = *\n");
        exporter_start(&scene.exporter, scene.daemon.socket);
        snprintf(scene.folder, sizeof(scene.folder), "%s", harness_make_folder());
        snprintf(config, sizeof(config), "%s/prometheus.yml", scene.folder);
        write_config(config);
        scene.prometheus.port = (uint16_t)(20000 + getpid() % 12000);
        scene.prometheus.pid = fork();
        ck_assert_int_ge(scene.prometheus.pid, 0);
        if (!scene.prometheus.pid)
                become_prometheus(config);
}

static void stop_prometheus(void)
{
        kill(scene.prometheus.pid, SIGTERM);
        waitpid(scene.prometheus.pid, NULL, 0);
        exporter_stop(&scene.exporter);
        daemon_stop(&scene.daemon);
        harness_remove_folder(scene.folder);
}

/* ---- questions ------------------------------------------------------------------------------- */

/* The answer as JSON; NULL if it is not ready yet. */
static json_t *ask(const char *path)
{
        char request[512], *answer, *body;
        json_t *json;

        snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
        answer = exporter_say(&scene.prometheus, request, 30);
        body = strstr(answer, "\r\n\r\n");
        json = body ? json_loads(body, 0, NULL) : NULL;
        free(answer);
        return json;
}

/* The answer to a query as a number; -1 as long as there is none. */
static double query(const char *expression)
{
        json_t *json, *first;
        char path[256];
        double value = -1;

        snprintf(path, sizeof(path), "/api/v1/query?query=%s", expression);
        json = ask(path);
        first = json_array_get(json_object_get(json_object_get(json, "data"), "result"), 0);
        if (first)
                value = strtod(
                        json_string_value(json_array_get(json_object_get(first, "value"), 1)),
                        NULL);
        json_decref(json);
        return value;
}

/* Until it is that, or more. */
static void await_value(const char *expression, double value)
{
        double found = -1;

        for (int i = 0; i < 600; i++) {
                found = query(expression);
                if (found >= value)
                        return;
                usleep(250000);
        }
        ck_abort_msg("%s is %g, not %g", expression, found, value);
}

/* How many rules there are, each of which could be asked for without a mistake. */
static size_t count_good_rules(void)
{
        json_t *json = ask("/api/v1/rules"), *groups, *rules, *rule;
        size_t i;

        groups = json_object_get(json_object_get(json, "data"), "groups");
        rules = json_object_get(json_array_get(groups, 0), "rules");
        json_array_foreach(rules, i, rule)
                ck_assert_str_eq(json_string_value(json_object_get(rule, "health")), "ok");
        i = json_array_size(rules);
        json_decref(json);
        return i;
}

START_TEST(prometheus_scrapes_it_for_a_minute)
{
        const struct filemem_options options = {.size = sizeof(options)};
        struct filemem_range range;
        filemem_session *session;

        exporter_await_listening(&scene.prometheus);
        ck_assert_int_eq(filemem_open(scene.daemon.socket, &options, &session), 0);
        ck_assert_int_eq(filemem_allocate(session, 7 * PAGE, FILEMEM_MAPPED, &range), 0);
        await_value("sum(filemem_pool_allocated_bytes)", 7 * (double)PAGE);
        await_value("sum(filemem_up)", 1);
        /* Of scrapes that went well; what is in them went on. */
        await_value("sum(sum_over_time(up%5B1h%5D))", SCRAPES);
        await_value("sum(count_over_time(filemem_up%5B1h%5D))", SCRAPES);
        await_value("sum(increase(filemem_allocated_bytes_total%5B1h%5D))", 1);
        await_value("histogram_quantile(0.99,sum(filemem_request_duration_seconds_bucket)by(le))",
                1e-7);
        ck_assert(query("sum(scrape_samples_scraped)") > 50);
        ck_assert_uint_eq(count_good_rules(), 5);
        filemem_close(session);
}
END_TEST

void add_prometheus_tests(TCase *exporter)
{
        tcase_add_unchecked_fixture(exporter, start_prometheus, stop_prometheus);
        tcase_add_test(exporter, prometheus_scrapes_it_for_a_minute);
}
