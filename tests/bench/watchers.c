// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/partner.h"
#include "bench/service.h"
#include "bench/statistics.h"
#include "filemem/statistics.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Scenario 14: allocations by one client while ten processes read all of the statistics ten times a
 * second; and while nobody does, for whom the daemon then has nothing to write. Rounds of both are
 * short and take turns, so that what disturbs one disturbs the other. `ns_per_op` is the median
 * over the rounds of what one allocation of a hundred takes; the floor is that of the others.
 */
#define WATCHERS 10
#define INTERVAL 100 /* ms */
#define PAGE     4096

#define PAIRS     8 /* of rounds */
#define PAIRS_MAX 1000
#define ROUND     UINT64_C(100000000) /* ns */
#define REST      UINT64_C(20000000)  /* before a round, at work but not measured */
#define TIMES_MAX (1u << 17)          /* beyond those a round ends */

/* ---- those who watch --------------------------------------------------------------------------
 */

struct watcher {
        const char *path;
        int phase; /* ms: not all of them look at once */
        filemem_session *session;
        filemem_statistics *statistics;
};

static int read_all(const filemem_statistics *statistics)
{
        struct filemem_statistics_durations durations;
        struct filemem_statistics_session session;
        struct filemem_statistics_totals totals;
        struct filemem_statistics_pool pool;
        size_t place = 0;
        int r = filemem_statistics_totals(statistics, &totals);

        while (filemem_statistics_next_pool(statistics, &place, &pool) > 0)
                ;
        place = 0;
        while (filemem_statistics_next_session(statistics, &place, &session) > 0)
                ;
        place = 0;
        while (filemem_statistics_next_durations(statistics, &place, &durations) > 0)
                ;
        return r;
}

/* Opens, or closes, what it looks at. */
static int obey(struct watcher *watcher, char order)
{
        const struct filemem_options options = {.size = sizeof(options), .no_pool = true};
        int r;

        if (!order) {
                watcher->statistics = filemem_statistics_close(watcher->statistics);
                watcher->session = filemem_close(watcher->session);
                return 0;
        }
        r = filemem_open(watcher->path, &options, &watcher->session);
        if (r == 0)
                r = filemem_statistics_open(watcher->session, &watcher->statistics);
        return r;
}

/* Every packet is an order: to look, or not to. It is confirmed. */
static void watch(int socket, void *argument)
{
        struct watcher *watcher = argument;
        struct pollfd orders = {.fd = socket, .events = POLLIN};
        int wait = -1;
        char order;

        for (;;) {
                int ready = poll(&orders, 1, wait);

                if (ready > 0) {
                        if (recv(socket, &order, 1, 0) != 1 || obey(watcher, order) < 0 ||
                                send(socket, &order, 1, MSG_NOSIGNAL) < 0)
                                return;
                        wait = order ? watcher->phase : -1;
                } else if (ready == 0) {
                        if (read_all(watcher->statistics) < 0)
                                return;
                        wait = INTERVAL;
                }
        }
}

static int tell_all(struct partner *partners, char order)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < WATCHERS; i++)
                r = partner_tell(&partners[i], order);
        return r;
}

static int start_watchers(struct partner *partners, const char *path)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < WATCHERS; i++) {
                struct watcher watcher = {path, (int)(i * INTERVAL / WATCHERS), NULL, NULL};

                r = partner_start(&partners[i], PINNING_NONE, watch, &watcher);
        }
        return r;
}

/* ---- the one who allocates --------------------------------------------------------------------
 */

struct rounds {
        filemem_session *session;
        struct partner partners[WATCHERS];
        uint32_t *times;
        double alone[PAIRS_MAX], watched[PAIRS_MAX];
};

/* Returns how many it were, or a negative errno. times: NULL if nobody wants to know. */
static int64_t allocate_for(filemem_session *session, uint64_t duration, uint32_t *times)
{
        uint64_t start = clock_now(), now = start;
        int64_t count = 0;

        while (now - start < duration && count < TIMES_MAX) {
                struct filemem_range range;
                uint64_t before = clock_now();
                int r = filemem_allocate(session, PAGE, FILEMEM_ANONYMOUS, &range);

                now = clock_now();
                if (times)
                        times[count++] = statistics_time(before, now);
                if (r == 0)
                        r = filemem_release(session, range);
                if (r < 0)
                        return r;
        }
        return count;
}

static int measure_round(struct rounds *rounds, bool watched, double *ret)
{
        int r = tell_all(rounds->partners, watched ? 1 : 0);
        int64_t count = r < 0 ? r : allocate_for(rounds->session, REST, NULL);

        if (count >= 0)
                count = allocate_for(rounds->session, ROUND, rounds->times);
        /* Those who look for nobody have no page open. */
        if (watched && r == 0 && count >= 0)
                r = tell_all(rounds->partners, 0);
        if (r < 0 || count < 0)
                return r < 0 ? r : (int)count;
        *ret = statistics_percentile(rounds->times, (size_t)count, 99);
        return 0;
}

/* Who comes first changes from pair to pair. */
static int measure(struct rounds *rounds, size_t pairs)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < pairs; i++) {
                bool first = i % 2;

                r = measure_round(rounds, first, first ? &rounds->watched[i] : &rounds->alone[i]);
                if (r == 0)
                        r = measure_round(
                                rounds, !first, first ? &rounds->alone[i] : &rounds->watched[i]);
        }
        return r;
}

/* What comes out where nothing differs: rounds alone, one half of them beside the other. */
static double measure_noise(const struct rounds *rounds, size_t pairs)
{
        double halves[2][PAIRS_MAX / 2 + 1];

        for (size_t i = 0; i < pairs; i++)
                halves[i % 2][i / 2] = rounds->alone[i];
        return statistics_median(halves[0], (pairs + 1) / 2) /
               statistics_median(halves[1], pairs / 2);
}

static void add_row(
        struct report *report, enum pinning pinning, struct rounds *rounds, size_t pairs)
{
        struct report_row *row = report_row(report, pinning_name(pinning), pairs);

        if (pairs > 1)
                report_add(row, "noise", measure_noise(rounds, pairs));
        report_add(row, "ns_per_op", statistics_median(rounds->watched, pairs));
        report_add(row, "floor_ns", statistics_median(rounds->alone, pairs));
}

static int run(struct report *report, enum pinning pinning, uint64_t pairs)
{
        static struct rounds rounds; /* large */
        struct service service;
        int r = service_start_pinned(&service, pinning, NULL);

        if (r < 0)
                return r;
        rounds = (struct rounds){.times = calloc(TIMES_MAX, sizeof(*rounds.times))};
        r = rounds.times ? start_watchers(rounds.partners, service.socket) : -ENOMEM;
        if (r == 0)
                r = filemem_open(service.socket, NULL, &rounds.session);
        if (r == 0)
                r = measure(&rounds, pairs);
        if (r == 0)
                add_row(report, pinning, &rounds, pairs);
        filemem_close(rounds.session);
        for (unsigned i = 0; i < WATCHERS; i++)
                partner_end(&rounds.partners[i]);
        free(rounds.times);
        service_stop(&service);
        return r;
}

int watchers_run(const struct scenario_sizes *sizes, struct report *report)
{
        struct scenario_sizes own = *sizes;

        if (!own.n)
                own.n = own.quick ? 1 : PAIRS;
        if (own.n > PAIRS_MAX)
                own.n = PAIRS_MAX;
        return pinning_run_all(&own, report, PAIRS, 1, run);
}
