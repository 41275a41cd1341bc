// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/floor.h"
#include "bench/stage.h"
#include "bench/statistics.h"
#include "bench/stopwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Allocations of one page each, in a row: scenarios 1 and 2. */

static const uint64_t sizes_full[] = {10000, 100000, 1000000, 0};
static const uint64_t sizes_quick[] = {2000, 0};

/* Allocations that are timed one by one. */
#define TIMED UINT64_C(1000)

/* ranges: room for n. */
typedef int play_function(
        struct stage *stage, struct range *ranges, uint64_t n, struct report *report);

/* The pool has room for those of TIMED that find no hole. */
static int play(play_function *function, uint64_t n, struct report *report)
{
        struct range *ranges = calloc(n, sizeof(*ranges));
        struct stage stage;
        int r = -ENOMEM;

        if (ranges)
                r = stage_open(&stage, (n + 3 * TIMED) * (uint64_t)sysconf(_SC_PAGESIZE));
        if (r == 0) {
                r = function(&stage, ranges, n, report);
                stage_close(&stage);
        }
        free(ranges);
        return r;
}

/* With the given size, or each of the scenario's own. */
static int play_sizes(
        play_function *function, const struct scenario_sizes *sizes, struct report *report)
{
        const uint64_t given[] = {sizes->n, 0};
        const uint64_t *n = sizes->n ? given : sizes->quick ? sizes_quick : sizes_full;
        int r = 0;

        while (r == 0 && *n)
                r = play(function, *n++, report);
        return r;
}

static int fill(struct stage *stage, struct range *ranges, uint64_t n)
{
        for (uint64_t i = 0; i < n; i++) {
                int r = stage_allocate(stage, 1, alt(i), &ranges[i]);

                if (r)
                        return r;
        }
        return 0;
}

/* Releases each `stride`-th. */
static int release(struct stage *stage, const struct range *ranges, uint64_t n, uint64_t first,
        uint64_t stride)
{
        for (uint64_t i = first; i < n; i += stride) {
                int r = pool_decref(stage->holder, ranges[i]);

                if (r)
                        return r;
        }
        return 0;
}

/* ---- alloc_seq ---------------------------------------------------------------------------------
 */

static void add(struct report *report, const char *variant, uint64_t n, struct stopwatch passed)
{
        struct report_row *row = report_row(report, variant, n);

        report_add(row, "ns_per_op", (double)passed.time / (double)n);
        report_add(row, "cpu_ns", (double)passed.cpu / (double)n);
        report_add(row, "floor_ns", floor_lock());
}

/*
 * One holder of all pages has one entry for all of them. Where two hold every other page, each page
 * is an entry of the pool's tree and one of what is held; the difference is what the latter cost.
 */
static int alloc_two_holders(struct stage *stage, uint64_t n, struct report *report)
{
        struct holder *holders[2] = {stage->holder};
        struct range range;
        uint64_t size;
        int r = holder_new(stage->pool, &holders[1]);

        for (uint64_t i = 0; r == 0 && i < n; i++)
                r = pool_allocate(holders[i % 2], stage->page_size, alt(i), &range, &size);
        if (r == 0)
                report_add(report_row(report, "two_holders", n), "metadata_per_entry",
                        stage_metadata(stage));
        holder_free(holders[1]);
        return r;
}

static int alloc_seq(struct stage *stage, struct range *ranges, uint64_t n, struct report *report)
{
        struct stopwatch start = stopwatch_start(), passed;
        double metadata, until;
        int r = fill(stage, ranges, n);

        passed = stopwatch_read(&start);
        if (r)
                return r;
        add(report, "allocate", n, passed);
        metadata = stage_metadata(stage);
        report_add(report_row(report, "allocate", n), "metadata_per_entry", metadata);
        start = stopwatch_start();
        r = release(stage, ranges, n, 0, 1);
        passed = stopwatch_read(&start);
        if (r == 0)
                r = stage_wait_reclaimed(stage);
        until = (double)(clock_now() - start.time) / (double)n;
        add(report, "free", n, passed);
        report_add(report_row(report, "free", n), "until_reclaimed_ns", until);
        return r ? r : alloc_two_holders(stage, n, report);
}

int alloc_seq_run(const struct scenario_sizes *sizes, struct report *report)
{
        return play_sizes(alloc_seq, sizes, report);
}

/* ---- frag_alloc --------------------------------------------------------------------------------
 */

static int allocate_timed(struct stage *stage, uint64_t pages, struct report_row *row)
{
        uint32_t times[TIMED];
        struct range range;
        uint64_t sum = 0;

        for (unsigned i = 0; i < TIMED; i++) {
                uint64_t start = clock_now();
                int r = stage_allocate(stage, pages, alt(i), &range);

                times[i] = statistics_time(start, clock_now());
                if (r)
                        return r;
                sum += times[i];
        }
        report_add(row, "ns_per_op", (double)sum / TIMED);
        report_add(row, "p50_ns", statistics_percentile(times, TIMED, 50));
        report_add(row, "p99_ns", statistics_percentile(times, TIMED, 99));
        report_add(row, "floor_ns", floor_lock());
        return 0;
}

static int frag_alloc(struct stage *stage, struct range *ranges, uint64_t n, struct report *report)
{
        int r = fill(stage, ranges, n);

        if (r == 0)
                r = release(stage, ranges, n, 1, 2);
        if (r == 0)
                r = stage_wait_reclaimed(stage);
        if (r == 0)
                r = allocate_timed(stage, 2, report_row(report, "two_pages", n));
        if (r == 0)
                r = allocate_timed(stage, 1, report_row(report, "one_page", n));
        return r;
}

int frag_alloc_run(const struct scenario_sizes *sizes, struct report *report)
{
        return play_sizes(frag_alloc, sizes, report);
}
