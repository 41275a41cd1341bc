// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

/*
 * When reclaim runs, and on which thread; what it does is in reclaim.c. Pools with work take turns,
 * one bounded piece each. One where all is done rests for a moment, one where something failed for
 * a second, unless there is more to do in it: see reclaim_wake().
 */
static void enqueue(struct memory *memory, struct pool *pool)
{
        pool->queued = POOL_WORK;
        TAILQ_INSERT_TAIL(&memory->work, pool, work_link);
}

/* Takes it from the list that it is in. */
static void dequeue(struct memory *memory, struct pool *pool)
{
        if (pool->queued == POOL_WORK)
                TAILQ_REMOVE(&memory->work, pool, work_link);
        else if (pool->queued != POOL_IDLE)
                TAILQ_REMOVE(&memory->later, pool, work_link);
        pool->queued = POOL_IDLE;
}

/* By the time when they are due: few wait that long that another one has to be put before them. */
static void put_off(struct memory *memory, struct pool *pool, uint64_t due_at)
{
        struct pool *before = TAILQ_LAST(&memory->later, pool_list);

        while (before && before->due_at > due_at)
                before = TAILQ_PREV(before, pool_list, work_link);
        pool->due_at = due_at;
        if (before)
                TAILQ_INSERT_AFTER(&memory->later, before, pool, work_link);
        else
                TAILQ_INSERT_HEAD(&memory->later, pool, work_link);
}

void reclaim_wake(struct pool *pool, bool urgent)
{
        struct memory *memory = pool->memory;

        lock_assert_held(&pool->lock);
        LOCK_SCOPE(&memory->work_lock);
        pool->urgent |= urgent;
        if (pool->queued == POOL_WORK || (pool->queued == POOL_RESTING && !urgent))
                return;
        dequeue(memory, pool);
        enqueue(memory, pool);
        lock_condition_signal(&memory->work_wake);
}

/* Moves the pools whose time has come; returns when the next one's comes, UINT64_MAX for never. */
static uint64_t revive(struct memory *memory, uint64_t now)
{
        struct pool *pool;

        while ((pool = TAILQ_FIRST(&memory->later))) {
                if (pool->due_at > now)
                        return pool->due_at;
                dequeue(memory, pool);
                enqueue(memory, pool);
        }
        return UINT64_MAX;
}

/* The next pool with work, or NULL when the thread has to stop. */
static struct pool *wait_for_work(struct memory *memory)
{
        LOCK_SCOPE(&memory->work_lock);
        struct pool *pool;

        memory->work_busy = false;
        for (;;) {
                uint64_t next = revive(memory, clock_now());

                if (memory->work_stop)
                        return NULL;
                pool = TAILQ_FIRST(&memory->work);
                if (pool)
                        break;
                if (next == UINT64_MAX)
                        lock_condition_wait(&memory->work_wake, &memory->work_lock);
                else
                        lock_condition_wait_until(&memory->work_wake, &memory->work_lock, next);
        }
        dequeue(memory, pool);
        pool->urgent = false;
        memory->work_busy = true;
        return pool;
}

static void put_back(struct memory *memory, struct pool *pool, enum reclaim_result result)
{
        if (result == RECLAIM_GONE)
                return;

        LOCK_SCOPE(&memory->work_lock);
        if (result == RECLAIM_REST && !pool->urgent) {
                dequeue(memory, pool); /* whatever was freed meanwhile can wait */
                pool->queued = POOL_RESTING;
                put_off(memory, pool, clock_now() + RECLAIM_REST_TIME);
                return;
        }
        if (pool->queued != POOL_IDLE || result == RECLAIM_DONE)
                return; /* woken meanwhile, or nothing to do until it is woken */
        if (result == RECLAIM_LATER) {
                pool->queued = POOL_LATER;
                put_off(memory, pool, clock_now() + RECLAIM_RETRY_AFTER);
        } else {
                enqueue(memory, pool);
        }
}

void *reclaim_thread(void *argument)
{
        struct memory *memory = argument;
        struct pool *pool;

        progress_follow(&memory->reclaim_progress);
        while ((pool = wait_for_work(memory))) {
                put_back(memory, pool, reclaim_step(pool, clock_now()));
                progress_made();
        }
        return NULL;
}
