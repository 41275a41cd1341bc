// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "bench/partner.h"
#include "bench/service.h"
#include "bench/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <filemem/filemem.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * Scenarios 7 and 8: one client and its daemon. The service and its floor take turns, so that both
 * see the same machine.
 */
#define TURNS        10
#define BATCH        64
#define PAGE_SIZE    ((uint64_t)sysconf(_SC_PAGESIZE))
#define MESSAGE_SIZE 20 /* bytes: a request or a reply about one allocation */

#define CONFIG "[pool default]\ncapacity = 64G\n"

/* What the two scenarios have in common. */
struct talk {
        struct service service;
        struct partner partner;
        filemem_session *session;
        filemem_queue *queue;
        uint32_t *times, *floor_times; /* of each pair, and of each ping-pong */
        size_t time_count, floor_count;
        uint64_t time, floor, pipelined, memfd;
};

static void talk_close(struct talk *talk)
{
        filemem_queue_close(talk->queue);
        filemem_close(talk->session);
        if (talk->service.pid > 0)
                service_stop(&talk->service);
        partner_end(&talk->partner);
        free(talk->times);
        free(talk->floor_times);
}

static int talk_open(struct talk *talk, enum pinning pinning, uint64_t count)
{
        int r;

        *talk = (struct talk){
                .times = calloc(count, sizeof(uint32_t)),
                .floor_times = calloc(count, sizeof(uint32_t)),
        };
        r = talk->times && talk->floor_times ? service_start_pinned(&talk->service, pinning, CONFIG)
                                             : -ENOMEM;
        if (r < 0)
                talk->service.pid = 0;
        if (r == 0)
                r = filemem_open(talk->service.socket, NULL, &talk->session);
        if (r == 0)
                r = partner_start_echo(&talk->partner, pinning);
        if (r == 0)
                r = filemem_queue_open(talk->session, NULL, &talk->queue);
        if (r < 0)
                talk_close(talk);
        return r;
}

static int add_floors(struct talk *talk, uint64_t rounds)
{
        uint64_t time;
        int r = partner_ping(&talk->partner, MESSAGE_SIZE, 1, rounds,
                talk->floor_times + talk->floor_count, &time);

        if (r < 0)
                return r;
        talk->floor += time;
        talk->floor_count += rounds;
        r = partner_ping(&talk->partner, MESSAGE_SIZE, BATCH, rounds, NULL, &time);
        talk->pipelined += time;
        return r;
}

/* ---- pairs -------------------------------------------------------------------------------------
 */

/* What a program without a server does for memory that it can hand on. */
static int make_memfd(void)
{
        const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        cleanup_(fd_closep) int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        void *address;

        if (fd < 0 || ftruncate(fd, (off_t)PAGE_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
                return -errno;
        address = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (address == MAP_FAILED)
                return -errno;
        return munmap(address, PAGE_SIZE) < 0 ? -errno : 0;
}

static int add_memfds(struct talk *talk, uint64_t rounds)
{
        uint64_t start = clock_now();
        int r = 0;

        for (uint64_t i = 0; r == 0 && i < rounds; i++)
                r = make_memfd();
        talk->memfd += clock_now() - start;
        return r;
}

static int add_pairs(struct talk *talk, uint64_t rounds)
{
        uint64_t start = clock_now(), before = start;

        for (uint64_t i = 0; i < rounds; i++) {
                struct filemem_range range;
                uint64_t now;
                int r = filemem_allocate(talk->session, PAGE_SIZE, FILEMEM_ANONYMOUS, &range);

                if (r == 0)
                        r = filemem_release(talk->session, range);
                if (r < 0)
                        return r;
                now = clock_now();
                talk->times[talk->time_count++] = statistics_time(before, now);
                before = now;
        }
        talk->time += clock_now() - start;
        return 0;
}

/* What the daemon does to time a request: ns. */
static double time_timing(void)
{
        static struct histogram histogram;
        uint64_t start = clock_now(), before = start;

        for (unsigned i = 0; i < 100000; i++) {
                uint64_t now = clock_now();

                histogram_add(&histogram, now - before);
                before = now;
        }
        return (double)(before - start) / 100000;
}

/* As peers say how long something takes: by the median, which leaves out what others do meanwhile.
 */
static void report_medians(struct report_row *row, const struct talk *talk)
{
        double p50 = statistics_percentile(talk->times, talk->time_count, 50);
        double floor_p50 = statistics_percentile(talk->floor_times, talk->floor_count, 50);

        report_add(row, "p50_ns", p50);
        report_add(row, "p99_ns", statistics_percentile(talk->times, talk->time_count, 99));
        report_add(row, "floor_p50_ns", floor_p50);
        report_add(row, "p50_ratio", p50 / floor_p50);
}

static void report_talk(struct report *report, enum pinning pinning, struct talk *talk, uint64_t n,
        uint64_t rounds, uint64_t operations)
{
        struct report_row *row = report_row(report, pinning_name(pinning), n);

        report_add(row, "ns_per_op", (double)talk->time / (double)operations);
        report_add(row, "floor_ns", (double)talk->floor / (double)rounds);
        report_add(row, "floor_64_ns", (double)talk->pipelined / (double)rounds);
        /* A round is two requests. */
        report_add(row, "timing_share", time_timing() * 2 * (double)rounds / (double)talk->time);
        if (talk->time_count)
                report_medians(row, talk);
        if (talk->memfd)
                report_add(row, "memfd_ns", (double)talk->memfd / (double)rounds);
}

static int run_pairs(struct report *report, enum pinning pinning, uint64_t n)
{
        struct talk talk;
        int r = talk_open(&talk, pinning, n);

        if (r < 0)
                return r;
        for (unsigned i = 0; r == 0 && i < TURNS; i++) {
                r = add_pairs(&talk, n / TURNS);
                if (r == 0)
                        r = add_floors(&talk, n / TURNS);
                if (r == 0)
                        r = add_memfds(&talk, n / TURNS);
        }
        if (r == 0)
                report_talk(report, pinning, &talk, n, n, n);
        talk_close(&talk);
        return r;
}

/* ---- batches -----------------------------------------------------------------------------------
 */

struct batch {
        struct filemem_range ranges[BATCH];
        unsigned count;
        int error;
};

static void take(const struct filemem_completion *completion)
{
        struct batch *batch = completion->data;

        if (completion->result < 0)
                batch->error = completion->result;
        batch->ranges[batch->count++] = completion->range;
}

static int allocate_batch(struct talk *talk, struct batch *batch)
{
        struct filemem_operation operations[BATCH];
        int r;

        *batch = (struct batch){0};
        for (unsigned i = 0; i < BATCH; i++)
                operations[i] = (struct filemem_operation){
                        .code = FILEMEM_DO_ALLOCATE,
                        .length = PAGE_SIZE,
                        .kind = FILEMEM_ANONYMOUS,
                        .done = take,
                        .data = batch,
                };
        r = filemem_submit(talk->queue, operations, BATCH);
        if (r == 0)
                r = filemem_wait(talk->queue, 0);
        return r < 0 ? r : batch->error;
}

static int release_batch(struct talk *talk, const struct batch *batch)
{
        struct filemem_operation operations[BATCH];
        int r;

        for (unsigned i = 0; i < BATCH; i++)
                operations[i] = (struct filemem_operation){
                        .code = FILEMEM_DO_RELEASE, .range = batch->ranges[i]};
        r = filemem_submit(talk->queue, operations, BATCH);
        return r < 0 ? r : filemem_flush(talk->queue);
}

static int add_batches(struct talk *talk, uint64_t rounds)
{
        uint64_t start = clock_now();
        int r = 0;

        for (uint64_t i = 0; r == 0 && i < rounds; i++) {
                struct batch batch;

                r = allocate_batch(talk, &batch);
                if (r == 0)
                        r = release_batch(talk, &batch);
        }
        /* The last releases are part of it. */
        if (r == 0)
                r = filemem_ping(talk->session);
        talk->time += clock_now() - start;
        return r;
}

static int run_batches(struct report *report, enum pinning pinning, uint64_t n)
{
        struct talk talk;
        int r = talk_open(&talk, pinning, n);

        if (r < 0)
                return r;
        for (unsigned i = 0; r == 0 && i < TURNS; i++) {
                r = add_batches(&talk, n / TURNS);
                if (r == 0)
                        r = add_floors(&talk, n / TURNS);
        }
        if (r == 0)
                report_talk(report, pinning, &talk, n, n, n * 2 * BATCH);
        talk_close(&talk);
        return r;
}

int rpc_pair_run(const struct scenario_sizes *sizes, struct report *report)
{
        return pinning_run_all(sizes, report, 20000, TURNS, run_pairs);
}

int rpc_batch_run(const struct scenario_sizes *sizes, struct report *report)
{
        return pinning_run_all(sizes, report, 2000, TURNS, run_batches);
}
