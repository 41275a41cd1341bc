// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

/*
 * When reclaim runs, and on which thread; what it does is in reclaim.c. Pools with work take turns,
 * one bounded piece each. A pool where something failed comes back a second later, or when there is
 * more to do in it.
 */
static void enqueue(struct memory *memory, struct pool *pool)
{
        pool->queued = POOL_WORK;
        TAILQ_INSERT_TAIL(&memory->work, pool, work_link);
}

void reclaim_wake(struct pool *pool, bool urgent)
{
        struct memory *memory = pool->memory;

        lock_assert_held(&pool->lock);
        LOCK_SCOPE(&memory->work_lock);
        if (pool->queued == POOL_LATER)
                TAILQ_REMOVE(&memory->later, pool, work_link);
        if (pool->queued != POOL_WORK)
                enqueue(memory, pool);
        if (urgent)
                memory->resting = false;
        if (!memory->resting)
                lock_condition_signal(&memory->work_wake);
}

/* Moves the pools whose time has come; returns when the next one's comes, UINT64_MAX for never. */
static uint64_t revive(struct memory *memory, uint64_t now)
{
        struct pool *pool;

        /* In the order in which they failed, so that of their times. */
        while ((pool = TAILQ_FIRST(&memory->later))) {
                if (pool->retry_at > now)
                        return pool->retry_at;
                TAILQ_REMOVE(&memory->later, pool, work_link);
                enqueue(memory, pool);
        }
        return UINT64_MAX;
}

/* All is done: more will come, and can wait a moment to be done together. */
static void rest(struct memory *memory)
{
        uint64_t until = clock_now() + RECLAIM_REST;

        memory->resting = true;
        while (memory->resting && !memory->work_stop)
                if (lock_condition_wait_until(&memory->work_wake, &memory->work_lock, until) < 0)
                        memory->resting = false;
}

/* The next pool with work, or NULL when the thread has to stop. */
static struct pool *wait_for_work(struct memory *memory, bool *worked)
{
        LOCK_SCOPE(&memory->work_lock);
        struct pool *pool;

        for (;;) {
                uint64_t next = revive(memory, clock_now());

                if (memory->work_stop)
                        return NULL;
                pool = TAILQ_FIRST(&memory->work);
                if (pool)
                        break;
                if (*worked)
                        rest(memory);
                else if (next == UINT64_MAX)
                        lock_condition_wait(&memory->work_wake, &memory->work_lock);
                else
                        lock_condition_wait_until(&memory->work_wake, &memory->work_lock, next);
                *worked = false;
        }
        TAILQ_REMOVE(&memory->work, pool, work_link);
        pool->queued = POOL_IDLE;
        *worked = true;
        return pool;
}

static void put_back(struct memory *memory, struct pool *pool, enum reclaim_result result)
{
        LOCK_SCOPE(&memory->work_lock);

        if (pool->queued != POOL_IDLE || result == RECLAIM_DONE)
                return; /* woken meanwhile, or nothing to do until it is woken */
        if (result == RECLAIM_MORE) {
                enqueue(memory, pool);
                return;
        }
        pool->queued = POOL_LATER;
        pool->retry_at = clock_now() + RECLAIM_RETRY_AFTER;
        TAILQ_INSERT_TAIL(&memory->later, pool, work_link);
}

void *reclaim_thread(void *argument)
{
        struct memory *memory = argument;
        struct pool *pool;
        bool worked = false;

        while ((pool = wait_for_work(memory, &worked)))
                put_back(memory, pool, reclaim_step(pool, clock_now()));
        return NULL;
}
