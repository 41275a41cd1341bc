// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"

#include <errno.h>
#include <string.h>

int pool_punch(struct pool *pool, struct range range)
{
        struct memory *memory = pool->memory;
        uint64_t before = clock_now();
        int r = memfile_punch(&pool->file, range);
        uint64_t duration = clock_now() - before;

        histogram_add(&memory->punch_times, duration);
        PROBE4(reclaim, pool->name, range.start, range.end, duration);
        atomic_fetch_add_explicit(&memory->punch_count, 1, memory_order_relaxed);
        if (r < 0)
                atomic_fetch_add_explicit(&memory->punch_failures, 1, memory_order_relaxed);
        return r;
}

/* ---- freed ranges ------------------------------------------------------------------------------
 */

size_t reclaim_find(struct pool *pool, struct range *ranges, size_t max)
{
        struct usage_entry entries[RECLAIM_BATCH];
        uint64_t left = PUNCH_MAX;
        size_t count;
        LOCK_SCOPE_PATIENT(&pool->lock);

        pool->woken = false;
        count = usage_tree_collect_tagged(
                &pool->tree, 0, USAGE_FREED, entries, max < RECLAIM_BATCH ? max : RECLAIM_BATCH);
        for (size_t i = 0; i < count; i++) {
                ranges[i] = pool_bytes(pool, entries[i].start, entries[i].end);
                if (ranges[i].end - ranges[i].start >= left) {
                        ranges[i].end = ranges[i].start + left;
                        return i + 1;
                }
                left -= ranges[i].end - ranges[i].start;
        }
        return count;
}

/* Said once, until it works again. */
static void complain(
        struct pool *pool, bool *said, enum log_event event, const char *what, int error)
{
        if (!*said)
                log_event(event, log_of_pool(pool->name),
                        "pool %s: %s failed: %s; trying again until it works", pool->name, what,
                        strerror(-error));
        *said = true;
}

/*
 * If the kernel does not take the pages back, they are at least made zero, and are stray then: the
 * scrub below tries to punch them again.
 */
int reclaim_punch(struct pool *pool, struct range range)
{
        int r = pool_punch(pool, range);

        if (r == 0) {
                pool->punch_failed = false;
                pool->zero_failed = false;
                atomic_fetch_add_explicit(
                        &pool->memory->reclaimed, range.end - range.start, memory_order_relaxed);
                return 0;
        }
        complain(pool, &pool->punch_failed, LOG_PUNCH_FAILED, "punching a hole", r);
        r = memfile_zero(&pool->file, range);
        if (r < 0) {
                complain(pool, &pool->zero_failed, LOG_ZERO_FAILED, "writing zeros", r);
                return r;
        }
        pool->scrub_page = 0; /* a pass that is under way may be beyond it already */
        LOCK_SCOPE_PATIENT(&pool->lock);
        pool->scrub = true;
        pool->scrub_at = clock_now() + RECLAIM_RETRY_AFTER;
        return 0;
}

int reclaim_finish(struct pool *pool, const struct range *ranges, size_t count)
{
        struct usage_extent extents[RECLAIM_BATCH];
        size_t done = 0, removed;
        LOCK_SCOPE_PATIENT(&pool->lock);

        for (size_t i = 0; i < count; i++) {
                extents[i].start = pool_page(pool, ranges[i].start);
                extents[i].end = pool_page(pool, ranges[i].end);
        }
        while (done < count) {
                int r = usage_nodes_reserve(&pool->nodes, usage_tree_need(&pool->tree));

                if (r < 0)
                        return r;
                removed = usage_tree_remove_freed(&pool->tree, extents + done, count - done);
                check(removed <= count - done);
                for (size_t i = done; pool->recorder && i < done + removed; i++)
                        record_give(pool, extents[i].start, extents[i].end);
                done += removed;
                lock_give_way(&pool->lock);
        }
        return 0;
}

/*
 * Many at a time, so that the lock is taken a few times for all of them: who frees in a hurry shall
 * not have to fight for it.
 */
static enum reclaim_result reclaim_freed(
        struct pool *pool, const struct range *ranges, size_t count)
{
        size_t punched = 0;
        uint64_t bytes = 0;

        while (punched < count && reclaim_punch(pool, ranges[punched]) == 0) {
                bytes += ranges[punched].end - ranges[punched].start;
                punched++;
        }
        pool->given_back += bytes;
        if (reclaim_finish(pool, ranges, punched) < 0 || punched < count)
                return RECLAIM_LATER;
        return count < RECLAIM_BATCH && bytes < PUNCH_MAX ? RECLAIM_REST : RECLAIM_MORE;
}

/* ---- stray pages -------------------------------------------------------------------------------
 */

/*
 * Makes a stray run of pages a freed entry, so that it is punched like every other one and nobody
 * can be given it meanwhile. It may have been allocated since it was found: then it is no longer
 * stray.
 */
static int adopt(struct pool *pool, struct range range)
{
        struct usage_entry entry = {
                .start = pool_page(pool, range.start),
                .end = pool_page(pool, range.end),
                .committed = pool_page(pool, range.end - range.start),
                .tags = USAGE_FREED,
        };
        struct usage_entry there;
        uint64_t stored = range.end - range.start;
        LOCK_SCOPE_PATIENT(&pool->lock);
        int r = usage_nodes_reserve(&pool->nodes, usage_tree_need(&pool->tree));

        if (r < 0)
                return r;
        if (usage_tree_find(&pool->tree, entry.start, &there) && there.start < entry.end)
                return 0;
        usage_tree_insert(&pool->tree, &entry);
        if (pool->recorder)
                record_keep(pool, entry.start, entry.end, KIND_SYSTEM);
        pool->scan.stray -= stored < pool->scan.stray ? stored : pool->scan.stray;
        return 0;
}

/* One step through the gaps. */
static enum reclaim_result scrub(struct pool *pool)
{
        struct range gap, data;
        uint32_t start, end;
        int r;

        if (!pool_find_gap(pool, pool->scrub_page, &start, &end)) {
                LOCK_SCOPE_PATIENT(&pool->lock);
                pool->scrub = pool->scrub_again;
                pool->scrub_again = false;
                pool->scrub_page = 0;
                pool->scrub_passes++;
                return RECLAIM_MORE;
        }
        gap = pool_bytes(pool, start, end);
        r = stray_find(pool, gap, &data);
        if (r == -EAGAIN)
                return RECLAIM_MORE;
        if (r == -ENXIO) {
                pool->scrub_page = end;
                return RECLAIM_MORE;
        }
        if (r < 0 || adopt(pool, data) < 0)
                return RECLAIM_LATER;
        pool->scrub_page = pool_page(pool, data.end);
        return RECLAIM_MORE;
}

/* ---- what next ----------------------------------------------------------------------------------
 */

static struct pool_job *next_decommit(struct pool *pool)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        struct pool_job *job = TAILQ_FIRST(&pool->decommits);

        if (job)
                TAILQ_REMOVE(&pool->decommits, job, link);
        return job;
}

/* Whether a session's holdings wait for being released; releases a part of them. */
static bool release_orphans(struct pool *pool, int *ret)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        struct holder *holder = LIST_FIRST(&pool->orphans);

        if (!holder)
                return false;
        *ret = holder_release_some(holder);
        return true;
}

static bool wants_scrub(struct pool *pool, uint64_t *ret_at)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        *ret_at = pool->scrub_at;
        return pool->scrub;
}

/* Freed ranges that come and come do not keep somebody waiting who wants a pass through the gaps.
 */
static enum reclaim_result scrub_too(struct pool *pool, uint64_t now, enum reclaim_result reclaimed)
{
        uint64_t at;

        if (reclaimed == RECLAIM_LATER || !trim_is_wanted(pool) || !wants_scrub(pool, &at) ||
                now < at)
                return reclaimed;
        return scrub(pool);
}

/* What nobody waits for. */
static enum reclaim_result reclaim_some(struct pool *pool, uint64_t now)
{
        struct range ranges[RECLAIM_BATCH];
        size_t count;
        uint64_t at;
        int r;

        if (release_orphans(pool, &r))
                return r < 0 ? RECLAIM_LATER : RECLAIM_MORE;
        if (pool->damaged)
                return RECLAIM_DONE; /* what looks freed may be somebody's */
        count = reclaim_find(pool, ranges, RECLAIM_BATCH);
        if (count)
                return scrub_too(pool, now, reclaim_freed(pool, ranges, count));
        if (wants_scrub(pool, &at))
                return now < at ? RECLAIM_LATER : scrub(pool);
        return RECLAIM_DONE;
}

enum reclaim_result reclaim_step(struct pool *pool, uint64_t now)
{
        enum reclaim_result prepared, reclaimed, copied;
        struct pool_job *job;

        if (retire_is_due(pool))
                return retire_step(pool);
        copy_make_room(pool);
        job = next_decommit(pool);
        if (job) {
                decommit_run(job); /* clients wait for these: first, between any two punches */
                return RECLAIM_MORE;
        }
        /* For these they wait too, but each takes long, and may need what is given back: both. */
        prepared = prepare_step(pool);
        trim_begin(pool);
        reclaimed = reclaim_some(pool, now);
        trim_end(pool, reclaimed == RECLAIM_LATER || pool->damaged);
        copied = copy_step(pool, now);
        if (prepared == RECLAIM_MORE || reclaimed == RECLAIM_MORE || copied == RECLAIM_MORE)
                return RECLAIM_MORE;
        return prepared == RECLAIM_LATER || copied == RECLAIM_LATER ? RECLAIM_LATER : reclaimed;
}
