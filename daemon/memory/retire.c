// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

/*
 * The end of a pool while the others go on. Its memory goes back to the kernel in pieces on the
 * reclaim thread, in turns with the work of the other pools, so that closing the file takes
 * nobody's time; and so that it goes back at all where a process that was a client keeps its
 * mappings.
 */
void pool_retire(struct pool *pool)
{
        if (!pool->memory->started) {
                pool_free(pool);
                return;
        }
        LOCK_SCOPE(&pool->lock);
        check(LIST_EMPTY(&pool->holders) && TAILQ_EMPTY(&pool->decommits));
        pool->retired = true;
        reclaim_wake(pool, false);
}

bool retire_is_due(struct pool *pool)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        return pool->retired;
}

static uint64_t get_stored(const struct pool *pool)
{
        struct memfile_state state;

        return memfile_stat(&pool->file, &state) < 0 ? 0 : state.stored;
}

/* Punches the next piece that stores something. Returns false when there is none, or it fails. */
static bool punch_next(struct pool *pool)
{
        struct range range = pool_bytes(pool, pool->retire_page, pool->tree.capacity);
        uint64_t before = get_stored(pool), after;
        struct range data;
        int r;

        if (range.start >= range.end)
                return false;
        r = memfile_find_data(&pool->file, range, &data);
        if (r == -EAGAIN)
                return true;
        if (r < 0)
                return false;
        if (range.end - data.start > PUNCH_MAX)
                range.end = data.start + PUNCH_MAX;
        range.start = data.start;
        r = pool_punch(pool, range);
        if (r < 0) {
                log_event(LOG_RETIRE_FAILED, log_of_pool(pool->name),
                        "pool %s: punching a hole failed: %s; what it stores is given back when "
                        "nobody maps it any more",
                        pool->name, strerror(-r));
                return false;
        }
        after = get_stored(pool);
        if (after < before)
                atomic_fetch_add_explicit(
                        &pool->memory->reclaimed, before - after, memory_order_relaxed);
        pool->retire_page = pool_page(pool, range.end);
        return true;
}

enum reclaim_result retire_step(struct pool *pool)
{
        if (punch_next(pool))
                return RECLAIM_MORE;
        pool_free(pool);
        return RECLAIM_GONE;
}

void retire_all(struct pool_list *pools)
{
        struct pool *pool, *next;

        for (pool = TAILQ_FIRST(pools); pool; pool = next) {
                next = TAILQ_NEXT(pool, work_link);
                if (pool->retired)
                        pool_free(pool);
        }
}
