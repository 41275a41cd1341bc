// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/machine.h"
#include "bench/partner.h"
#include "bench/service.h"
#include "bench/statistics.h"

#include <errno.h>
#include <filemem/filemem.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Scenario 10. Another process has so much memory, touches a page now and then, so that there is
 * something to count, and has the usage updated without a break; or is told to rest, which is the
 * floor; or to ask for what was counted last, which shows what is the asking and what the counting.
 * All three take turns.
 */
#define TURNS  10
#define CONFIG "[pool default]\ncapacity = 64G\n"
#define PAGE   UINT64_C(4096)

enum order { REST, ASK, UPDATE, ORDERS };

struct scanner {
        const char *path;
        uint64_t size;
};

static int obey(enum order order, filemem_session *session, struct filemem_range spare,
        uint8_t *bytes, uint64_t round)
{
        struct filemem_usage usage;

        /* All pages once, and then they are given back: there is always one more. */
        bytes[round * PAGE % (spare.end - spare.start)] = 1;
        if (round * PAGE % (spare.end - spare.start) == 0 && round)
                return filemem_decommit(session, spare, 0);
        if (order == ASK)
                return filemem_usage(session, &usage);
        return filemem_update_usage(session, &usage);
}

/* Every packet is an order, and holds until the next one. It is confirmed. */
static void scan(int socket, void *argument)
{
        const struct scanner *scanner = argument;
        struct filemem_range range, spare;
        filemem_session *session;
        char order = REST;
        void *bytes;

        if (filemem_open(scanner->path, NULL, &session) < 0 ||
                filemem_allocate_mode(
                        session, scanner->size, FILEMEM_ANONYMOUS, FILEMEM_COMMIT, &range) < 0 ||
                filemem_allocate(session, 1024 * PAGE, FILEMEM_PAGE_CACHE, &spare) < 0 ||
                filemem_map(session, spare, PROT_READ | PROT_WRITE, &bytes) < 0)
                return;
        for (uint64_t round = 0;; round++) {
                ssize_t n = recv(socket, &order, 1, order == REST ? 0 : MSG_DONTWAIT);

                if (n == 0 || (n == 1 && send(socket, &order, 1, MSG_NOSIGNAL) < 0))
                        return;
                if (order != REST && obey((enum order)order, session, spare, bytes, round) < 0)
                        return;
        }
}

static int allocate_many(filemem_session *session, uint32_t *times, uint64_t count)
{
        for (uint64_t i = 0; i < count; i++) {
                uint64_t start = clock_now();
                struct filemem_range range;
                int r = filemem_allocate(session, PAGE, FILEMEM_TMPFS, &range);

                times[i] = statistics_time(start, clock_now());
                if (r == 0)
                        r = filemem_release(session, range);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* times: `count` for each turn with each order, those of one order together. */
static int take_turns(
        filemem_session *session, struct partner *partner, uint32_t *times, uint64_t count)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < TURNS * ORDERS; i++) {
                unsigned order = i % ORDERS, turn = i / ORDERS;

                r = partner_tell(partner, (char)order);
                if (r == 0)
                        r = allocate_many(session, times + (order * TURNS + turn) * count, count);
        }
        return r;
}

static void report_turns(struct report_row *row, uint32_t *times, uint64_t n)
{
        double floor = statistics_percentile(times + REST * n, n, 99);
        double asked = statistics_percentile(times + ASK * n, n, 99);
        double p99 = statistics_percentile(times + UPDATE * n, n, 99);

        report_add(row, "p50_ns", statistics_percentile(times + UPDATE * n, n, 50));
        report_add(row, "p99_ns", p99);
        report_add(row, "idle_p50_ns", statistics_percentile(times + REST * n, n, 50));
        report_add(row, "idle_p99_ns", floor);
        report_add(row, "p99_ratio", p99 / floor);
        report_add(row, "asked_p99_ns", asked);
        report_add(row, "p99_of_asked", p99 / asked);
}

static int measure(struct report *report, enum pinning pinning, filemem_session *session,
        struct partner *partner, uint64_t n)
{
        uint32_t *times = calloc(n * ORDERS, sizeof(*times));
        int r = times ? take_turns(session, partner, times, n / TURNS) : -ENOMEM;

        if (r == 0)
                report_turns(report_row(report, pinning_name(pinning), n), times, n);
        free(times);
        return r;
}

static uint64_t scan_size; /* of this run */

static int run(struct report *report, enum pinning pinning, uint64_t n)
{
        struct partner partner = {0};
        filemem_session *session;
        struct service service;
        int r = service_start_pinned(&service, pinning, CONFIG);

        if (r < 0)
                return r;
        r = filemem_open(service.socket, NULL, &session);
        if (r == 0) {
                struct scanner scanner = {service.socket, scan_size};

                r = partner_start(&partner, PINNING_NONE, scan, &scanner);
                if (r == 0)
                        r = measure(report, pinning, session, &partner, n);
                partner_end(&partner);
                filemem_close(session);
        }
        service_stop(&service);
        return r;
}

int rpc_scan_run(const struct scenario_sizes *sizes, struct report *report)
{
        int r;

        scan_size =
                sizes->size ? sizes->size : (sizes->quick ? UINT64_C(64) << 20 : UINT64_C(8) << 30);
        r = machine_check_memory(scan_size);
        return r ? r : pinning_run_all(sizes, report, 2000, TURNS, run);
}
