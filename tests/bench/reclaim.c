// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/floor.h"
#include "bench/machine.h"
#include "bench/stage.h"
#include "bench/toucher.h"

#include <errno.h>

/*
 * Scenario 6. Each time is measured right after its floor: the same pages of a file that has
 * nothing to do with us, touched by another process in the same way, punched on this thread.
 */

/* ---- one range ---------------------------------------------------------------------------------
 */

static int floor_whole(uint64_t size, bool mapped, uint64_t *ret)
{
        cleanup_(fd_closep) int fd = floor_file(size);
        cleanup_(toucher_end) struct toucher toucher = {0};
        int r;

        if (fd < 0)
                return fd;
        r = toucher_start(&toucher, fd);
        if (r == 0)
                r = toucher_touch(&toucher, (struct range){0, size}, 1);
        if (r == 0 && !mapped)
                toucher_end(&toucher);
        return r ? r : floor_punch(fd, 0, size, ret);
}

static int release_whole(struct stage *stage, uint64_t size, bool mapped, uint64_t *ret)
{
        cleanup_(toucher_end) struct toucher toucher = {0};
        struct range range;
        uint64_t start;
        int r = stage_allocate(stage, size / stage->page_size, KIND_ANONYMOUS, &range);

        if (r == 0)
                r = toucher_start(&toucher, pool_fd(stage->pool));
        if (r == 0)
                r = toucher_touch(&toucher, range, 1);
        if (r)
                return r;
        if (!mapped)
                toucher_end(&toucher);
        start = clock_now();
        r = pool_decref(stage->holder, range);
        if (r == 0)
                r = stage_wait_stored(stage, 0);
        *ret = clock_now() - start;
        return r;
}

static void add(struct report_row *row, uint64_t time, uint64_t floor_time, uint64_t size)
{
        report_add(row, "ns_per_op", (double)time);
        report_add(row, "floor_ns", (double)floor_time);
        report_add(row, "gb_per_s", (double)size / (double)time);
        report_add(row, "floor_gb_per_s", (double)size / (double)floor_time);
        report_add(row, "of_floor_speed", (double)floor_time / (double)time);
}

static int run_whole(struct report *report, const char *variant, uint64_t size, bool mapped)
{
        struct stage stage;
        uint64_t time, floor_time;
        int r = floor_whole(size, mapped, &floor_time);

        if (r)
                return r;
        r = stage_open(&stage, size);
        if (r)
                return r;
        r = release_whole(&stage, size, mapped, &time);
        stage_close(&stage);
        if (r == 0)
                add(report_row(report, variant, size / stage.page_size), time, floor_time, size);
        return r;
}

/* ---- scattered pages ---------------------------------------------------------------------------
 */

static int floor_scattered(uint64_t count, uint64_t *ret)
{
        uint64_t size = 2 * count * (uint64_t)sysconf(_SC_PAGESIZE);
        cleanup_(fd_closep) int fd = floor_file(size);
        cleanup_(toucher_end) struct toucher toucher = {0};
        int r;

        if (fd < 0)
                return fd;
        r = toucher_start(&toucher, fd);
        if (r == 0)
                r = toucher_touch(&toucher, (struct range){0, size}, 1);
        toucher_end(&toucher);
        return r ? r : floor_punch_pages(fd, 0, count, ret);
}

/* The pages stay apart: each neighbour is held. */
static int release_scattered(struct stage *stage, uint64_t count, uint64_t *ret)
{
        cleanup_(toucher_end) struct toucher toucher = {0};
        uint64_t size = 2 * count * stage->page_size, start;
        struct range range;
        int r = stage_allocate(stage, 2 * count, KIND_ANONYMOUS, &range);

        if (r == 0)
                r = toucher_start(&toucher, pool_fd(stage->pool));
        if (r == 0)
                r = toucher_touch(&toucher, range, 1);
        toucher_end(&toucher);
        start = clock_now();
        for (uint64_t at = range.start; r == 0 && at < range.end; at += 2 * stage->page_size)
                r = pool_decref(stage->holder, (struct range){at, at + stage->page_size});
        if (r == 0)
                r = stage_wait_stored(stage, size / 2);
        *ret = clock_now() - start;
        return r;
}

static int run_scattered(struct report *report, uint64_t count)
{
        struct stage stage;
        struct report_row *row;
        uint64_t time, floor_time;
        int r = floor_scattered(count, &floor_time);

        if (r)
                return r;
        r = stage_open(&stage, (2 * count + 1024) * (uint64_t)sysconf(_SC_PAGESIZE));
        if (r)
                return r;
        r = release_scattered(&stage, count, &time);
        stage_close(&stage);
        if (r)
                return r;
        row = report_row(report, "scattered_pages", count);
        report_add(row, "ns_per_op", (double)time / (double)count);
        report_add(row, "floor_ns", (double)floor_time / (double)count);
        report_add(row, "of_floor_speed", (double)floor_time / (double)time);
        return 0;
}

int reclaim_run(const struct scenario_sizes *sizes, struct report *report)
{
        uint64_t size = sizes->size    ? sizes->size
                        : sizes->quick ? UINT64_C(64) << 20
                                       : UINT64_C(4) << 30;
        uint64_t count = sizes->n ? sizes->n : sizes->quick ? 500 : 100000;
        int r = machine_check_memory(size);

        if (r == 0)
                r = run_whole(report, "unmapped", size, false);

        if (r == 0)
                r = run_whole(report, "mapped", size, true);
        if (r == 0)
                r = run_scattered(report, count);
        return r;
}
