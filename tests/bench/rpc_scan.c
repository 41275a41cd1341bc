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
 * something to count, and asks for the usage without a break; or is told to rest, which is the
 * floor. Both take turns.
 */
#define TURNS  10
#define CONFIG "[pool default]\ncapacity = 64G\n"
#define PAGE   UINT64_C(4096)

struct scanner {
        const char *path;
        uint64_t size;
};

static int scan_once(
        filemem_session *session, struct filemem_range spare, uint8_t *bytes, uint64_t round)
{
        struct filemem_usage usage;

        /* All pages once, and then they are given back: there is always one more. */
        bytes[round * PAGE % (spare.end - spare.start)] = 1;
        if (round * PAGE % (spare.end - spare.start) == 0 && round)
                return filemem_decommit(session, spare, 0);
        return filemem_update_usage(session, &usage);
}

/* Every packet is an order: to go on, or to rest. It is confirmed. */
static void scan(int socket, void *argument)
{
        const struct scanner *scanner = argument;
        struct filemem_range range, spare;
        filemem_session *session;
        char order = 0;
        void *bytes;

        if (filemem_open(scanner->path, NULL, &session) < 0 ||
                filemem_allocate_mode(
                        session, scanner->size, FILEMEM_ANONYMOUS, FILEMEM_COMMIT, &range) < 0 ||
                filemem_allocate(session, 1024 * PAGE, FILEMEM_PAGE_CACHE, &spare) < 0 ||
                filemem_map(session, spare, PROT_READ | PROT_WRITE, &bytes) < 0)
                return;
        for (uint64_t round = 0;; round++) {
                ssize_t n = recv(socket, &order, 1, order ? MSG_DONTWAIT : 0);

                if (n == 0 || (n == 1 && send(socket, &order, 1, MSG_NOSIGNAL) < 0))
                        return;
                if (order && scan_once(session, spare, bytes, round) < 0)
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

static int take_turns(filemem_session *session, struct partner *partner, uint32_t *busy,
        uint32_t *idle, uint64_t count)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < TURNS; i++) {
                r = partner_tell(partner, 0);
                if (r == 0)
                        r = allocate_many(session, idle + i * count, count);
                if (r == 0)
                        r = partner_tell(partner, 1);
                if (r == 0)
                        r = allocate_many(session, busy + i * count, count);
        }
        return r;
}

static int measure(struct report *report, enum pinning pinning, filemem_session *session,
        struct partner *partner, uint64_t n)
{
        uint32_t *busy = calloc(n, sizeof(*busy)), *idle = calloc(n, sizeof(*idle));
        int r = busy && idle ? take_turns(session, partner, busy, idle, n / TURNS) : -ENOMEM;

        if (r == 0) {
                struct report_row *row = report_row(report, pinning_name(pinning), n);
                double p99 = statistics_percentile(busy, n, 99);
                double floor = statistics_percentile(idle, n, 99);

                report_add(row, "p50_ns", statistics_percentile(busy, n, 50));
                report_add(row, "p99_ns", p99);
                report_add(row, "idle_p50_ns", statistics_percentile(idle, n, 50));
                report_add(row, "idle_p99_ns", floor);
                report_add(row, "p99_ratio", p99 / floor);
        }
        free(busy);
        free(idle);
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
