// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "base/lock.h"
#include "bench/floor.h"
#include "bench/machine.h"
#include "bench/stage.h"
#include "bench/statistics.h"
#include "bench/toucher.h"
#include "memory/private.h"

#include <errno.h>
#include <time.h>

/*
 * Scenario 5. A scan is asked for at the front door and done on the scan thread: that is how long
 * an asker waits, and what is timed here. Waking that thread, and being woken, costs more than
 * finding that nothing has changed; so that is timed a second time, on our own thread, by the
 * function that the scan thread calls: the one thing here that is not in memory/pool.h.
 */

#define UNCHANGED_ROUNDS 1000

struct asker {
        struct pool_job job; /* first: what done() gets is this */
        struct lock lock;
        struct lock_condition wake;
        bool answered;
        int result;
};

static void note_answer(struct pool_job *job, int result)
{
        struct asker *asker = (struct asker *)job;
        LOCK_SCOPE(&asker->lock);

        asker->result = result;
        asker->answered = true;
        lock_condition_signal(&asker->wake);
}

static int ask(struct pool *pool, uint64_t *ret)
{
        struct asker asker = {.job = {.done = note_answer}};
        uint64_t start = clock_now();

        lock_init(&asker.lock, LOCK_INBOX);
        lock_condition_init(&asker.wake);
        pool_update_usage(&asker.job, pool);
        lock_take(&asker.lock);
        while (!asker.answered)
                lock_condition_wait(&asker.wake, &asker.lock);
        lock_drop(&asker.lock);
        *ret = clock_now() - start;
        lock_condition_deinit(&asker.wake);
        lock_deinit(&asker.lock);
        return asker.result;
}

/* A scan that the scan thread's share of a core does not allow yet is not done: then ask again. */
static int ask_until_scanned(struct pool *pool, uint64_t *ret)
{
        struct timespec moment = {.tv_nsec = 1000000};
        struct pool_usage before, after;

        pool_usage(pool, &before);
        for (;;) {
                int r = ask(pool, ret);

                pool_usage(pool, &after);
                if (r || after.scanned_at != before.scanned_at)
                        return r;
                nanosleep(&moment, NULL);
        }
}

/* ---- one scan ----------------------------------------------------------------------------------
 */

struct play {
        struct stage stage;
        struct toucher toucher;
        struct range range, other;
        unsigned stride;  /* every so-manieth page is touched, 0: none is */
        uint64_t touched; /* pages */
        const char *name;
        struct report *report;
};

static struct report_row *row_of(struct play *play, const char *when)
{
        uint64_t pages = (play->range.end - play->range.start) / play->stage.page_size;
        char variant[32];

        snprintf(variant, sizeof(variant), "%s_%s", play->name, when);
        return report_row(play->report, variant, pages);
}

/* What was measured has to be what was asked for. */
static int check_numbers(struct play *play)
{
        struct pool_usage usage;

        pool_usage(play->stage.pool, &usage);
        if (!usage.exact || usage.committed[KIND_ANONYMOUS] + usage.committed[KIND_PAGE_CACHE] !=
                                    play->touched * play->stage.page_size)
                return -EBADMSG;
        return 0;
}

/* The floors come after, so that it is they who find the kernel's caches warm. */
static int add_floors(struct play *play, struct report_row *row)
{
        int fd = pool_fd(play->stage.pool);
        uint64_t time;
        int r = floor_count(fd, play->range.start, play->range.end, &time);

        if (r == 0)
                report_add(row, "floor_ns", (double)time);
        else if (r != -ENOSYS && r != -EPERM)
                return r;
        r = floor_mincore(fd, play->range.start, play->range.end, &time);
        if (r == 0)
                report_add(row, "mincore_ns", (double)time);
        return r;
}

static int scan_timed(struct play *play, const char *when)
{
        struct report_row *row = row_of(play, when);
        struct pool_information information;
        uint64_t time;
        int r = ask_until_scanned(play->stage.pool, &time);

        if (r == 0)
                r = check_numbers(play);
        if (r)
                return r;
        report_add(row, "ns_per_op", (double)time);
        r = add_floors(play, row);
        pool_information(play->stage.pool, &information);
        report_add(row, "entries", (double)information.entries);
        return r;
}

static int scan_unchanged(struct play *play)
{
        struct report_row *row = row_of(play, "unchanged");
        uint32_t asked[UNCHANGED_ROUNDS];
        uint64_t time, start;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < UNCHANGED_ROUNDS; i++) {
                r = ask(play->stage.pool, &time);
                asked[i] = statistics_time(0, time);
        }
        start = clock_now();
        for (unsigned i = 0; r == 0 && i < UNCHANGED_ROUNDS; i++)
                r = scan_run(play->stage.pool);
        time = clock_now() - start;
        if (r)
                return r;
        report_add(row, "ns_per_op", (double)time / UNCHANGED_ROUNDS);
        report_add(row, "asked_p50_ns", statistics_percentile(asked, UNCHANGED_ROUNDS, 50));
        report_add(row, "asked_p99_ns", statistics_percentile(asked, UNCHANGED_ROUNDS, 99));
        return 0;
}

/* ---- one pool ----------------------------------------------------------------------------------
 */

static int touch(struct play *play, struct range range, unsigned stride)
{
        int r = toucher_touch(&play->toucher, range, stride);

        play->touched += (range.end - range.start) / play->stage.page_size / stride;
        return r;
}

static int play_parts(struct play *play, uint64_t size)
{
        struct range page;
        int r = stage_allocate(
                &play->stage, size / play->stage.page_size, KIND_ANONYMOUS, &play->range);

        if (r == 0)
                r = toucher_start(&play->toucher, pool_fd(play->stage.pool));
        if (r == 0 && play->stride)
                r = touch(play, play->range, play->stride);
        if (r == 0)
                r = scan_timed(play, "first");
        if (r == 0)
                r = scan_unchanged(play);
        if (r == 0)
                r = stage_allocate(&play->stage, 256, KIND_PAGE_CACHE, &play->other);
        if (r)
                return r;
        page = (struct range){play->other.start, play->other.start + play->stage.page_size};
        r = touch(play, page, 1);
        if (r == 0)
                r = scan_timed(play, "one_more");
        return r;
}

static int play(uint64_t size, const char *name, unsigned stride, struct report *report)
{
        struct play play = {.name = name, .stride = stride, .report = report};
        int r = stage_open(&play.stage, size + 2 * CHUNK_SIZE);

        if (r)
                return r;
        r = play_parts(&play, size);
        toucher_end(&play.toucher);
        stage_close(&play.stage);
        return r;
}

int update_usage_run(const struct scenario_sizes *sizes, struct report *report)
{
        static const uint64_t full[] = {UINT64_C(1) << 30, UINT64_C(4) << 30, 0};
        const uint64_t one[] = {sizes->size ? sizes->size : UINT64_C(16) << 20, 0};
        int r = 0;

        for (const uint64_t *size = sizes->size || sizes->quick ? one : full; r == 0 && *size;
                size++) {
                r = machine_check_memory(*size);
                if (r == 0)
                        r = play(*size, "none", 0, report);
                if (r == 0)
                        r = play(*size, "all", 1, report);
                if (r == 0)
                        r = play(*size, "half", 2, report);
        }
        return r;
}
