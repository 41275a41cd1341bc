// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/service.h"
#include "bench/statistics.h"
#include "filemem/statistics.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Scenario 14: allocations by one client while ten processes read all of the statistics ten times a
 * second. `ns_per_op` is what one of a hundred takes then, the floor is the same with nobody who
 * watches, for which the daemon has nothing to write.
 */
#define WATCHERS 10
#define INTERVAL 100000 /* us */
#define PAGE     4096

/* They take turns, so that what disturbs one disturbs the other. */
#define ROUNDS 7

static void read_all(const filemem_statistics *statistics)
{
        struct filemem_statistics_durations durations;
        struct filemem_statistics_session session;
        struct filemem_statistics_totals totals;
        struct filemem_statistics_pool pool;
        size_t place = 0;

        if (filemem_statistics_totals(statistics, &totals) < 0)
                _exit(1);
        while (filemem_statistics_next_pool(statistics, &place, &pool) > 0)
                ;
        place = 0;
        while (filemem_statistics_next_session(statistics, &place, &session) > 0)
                ;
        place = 0;
        while (filemem_statistics_next_durations(statistics, &place, &durations) > 0)
                ;
}

/* A child, until it is killed. */
static void watch(const char *socket)
{
        const struct filemem_options options = {.size = sizeof(options), .no_pool = true};
        filemem_statistics *statistics;
        filemem_session *session;

        if (filemem_open(socket, &options, &session) < 0 ||
                filemem_statistics_open(session, &statistics) < 0)
                _exit(1);
        for (;;) {
                read_all(statistics);
                usleep(INTERVAL);
        }
}

/* Returns how many there are. */
static size_t start_watchers(const char *socket, pid_t watchers[WATCHERS])
{
        for (size_t i = 0; i < WATCHERS; i++) {
                watchers[i] = fork();
                if (watchers[i] < 0)
                        return i;
                if (!watchers[i])
                        watch(socket);
        }
        usleep(2 * INTERVAL); /* until all of them are at it */
        return WATCHERS;
}

/* Returns 0, or -EIO if one of them ended before. */
static int stop_watchers(const pid_t *watchers, size_t count)
{
        int r = 0;

        for (size_t i = 0; i < count; i++) {
                int status;

                kill(watchers[i], SIGKILL);
                if (waitpid(watchers[i], &status, 0) < 0 || !WIFSIGNALED(status))
                        r = -EIO;
        }
        return r;
}

/* One of a hundred of the allocations took so long. */
static int measure(filemem_session *session, uint32_t *times, size_t count, double *ret)
{
        for (size_t i = 0; i < count; i++) {
                uint64_t before = clock_now();
                struct filemem_range range;
                int r = filemem_allocate(session, PAGE, FILEMEM_ANONYMOUS, &range);

                if (r < 0)
                        return r;
                times[i] = statistics_time(before, clock_now());
                r = filemem_decref(session, range);
                if (r < 0)
                        return r;
        }
        *ret = statistics_percentile(times, count, 99);
        return 0;
}

static int measure_watched(
        filemem_session *session, const char *socket, uint32_t *times, size_t count, double *ret)
{
        pid_t watchers[WATCHERS];
        size_t started = start_watchers(socket, watchers);
        int r = started == WATCHERS ? measure(session, times, count, ret) : -EAGAIN;
        int stopped = stop_watchers(watchers, started);

        return r < 0 ? r : stopped;
}

static int compare(filemem_session *session, const char *socket, size_t count, size_t rounds,
        struct report *report)
{
        struct report_row *row = report_row(report, "p99", count);
        uint32_t *times = calloc(count, sizeof(*times));
        double alone[ROUNDS], watched[ROUNDS];
        int r = times ? measure(session, times, count, &alone[0]) : -ENOMEM; /* warming up */

        for (size_t i = 0; i < rounds && r == 0; i++) {
                r = measure(session, times, count, &alone[i]);
                if (r == 0)
                        r = measure_watched(session, socket, times, count, &watched[i]);
        }
        free(times);
        if (r < 0)
                return r;
        report_add(row, "ns_per_op", statistics_median(watched, rounds));
        report_add(row, "floor_ns", statistics_median(alone, rounds));
        return 0;
}

int watchers_run(const struct scenario_sizes *sizes, struct report *report)
{
        size_t count = sizes->n ? sizes->n : sizes->quick ? 200 : 5000;
        filemem_session *session;
        struct service service;
        int r = service_start(&service, NULL);

        if (r < 0)
                return r;
        r = filemem_open(service.socket, NULL, &session);
        if (r == 0) {
                r = compare(session, service.socket, count, sizes->quick ? 1 : ROUNDS, report);
                filemem_close(session);
        }
        service_stop(&service);
        return r;
}
