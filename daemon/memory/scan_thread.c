// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"

/*
 * When scans run, and on which thread; what they do is in scan.c. Askers of one pool that come
 * before its scan begins share it.
 */
#define SHARE      8                     /* of the time, one part is for scanning */
#define CREDIT_MAX (100 * NSEC_PER_MSEC) /* saved up for a burst */

bool scan_budget_allows(struct scan_budget *budget, uint64_t now)
{
        uint64_t passed = now - budget->since;

        if (!budget->since || passed / SHARE > CREDIT_MAX)
                passed = SHARE * CREDIT_MAX;
        budget->since = now;
        budget->credit += (int64_t)(passed / SHARE);
        if (budget->credit > (int64_t)CREDIT_MAX)
                budget->credit = (int64_t)CREDIT_MAX;
        return budget->credit > 0;
}

void scan_budget_spend(struct scan_budget *budget, uint64_t spent)
{
        budget->credit -= (int64_t)spent;
}

void pool_update_usage(struct pool_job *job, struct pool *pool)
{
        struct memory *memory = pool->memory;
        LOCK_SCOPE(&memory->scan_lock);

        job->pool = pool;
        TAILQ_INSERT_TAIL(&pool->askers, job, link);
        if (pool->scan_queued)
                return;
        pool->scan_queued = true;
        TAILQ_INSERT_TAIL(&memory->scans, pool, scan_link);
        lock_condition_signal(&memory->scan_wake);
}

/* The next pool with askers, and these; NULL if there is none. */
static struct pool *take(struct memory *memory, struct pool_job_list *ret)
{
        LOCK_SCOPE(&memory->scan_lock);
        struct pool *pool = TAILQ_FIRST(&memory->scans);

        TAILQ_INIT(ret);
        if (!pool)
                return NULL;
        TAILQ_REMOVE(&memory->scans, pool, scan_link);
        pool->scan_queued = false;
        TAILQ_CONCAT(ret, &pool->askers, link);
        return pool;
}

static uint64_t thread_time(void)
{
        struct timespec spent;

        check(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) == 0);
        return (uint64_t)spent.tv_sec * NSEC_PER_SEC + (uint64_t)spent.tv_nsec;
}

static bool scanned(struct pool *pool)
{
        LOCK_SCOPE(&pool->lock);
        return pool->scan.at != 0;
}

bool scan_step(struct memory *memory, uint64_t now)
{
        struct pool_job_list askers;
        struct pool *pool = take(memory, &askers);
        struct pool_job *job;
        int r = 0;

        if (!pool)
                return false;
        if (scan_budget_allows(&memory->scan_budget, now) || !scanned(pool)) {
                uint64_t before = thread_time();

                r = scan_run(pool);
                scan_budget_spend(&memory->scan_budget, thread_time() - before);
        }
        while ((job = TAILQ_FIRST(&askers))) {
                TAILQ_REMOVE(&askers, job, link);
                job->done(job, r);
        }
        return true;
}

static bool wait_for_askers(struct memory *memory)
{
        LOCK_SCOPE(&memory->scan_lock);

        memory->scan_busy = false;
        while (TAILQ_EMPTY(&memory->scans) && !memory->scan_stop)
                lock_condition_wait(&memory->scan_wake, &memory->scan_lock);
        memory->scan_busy = true;
        return !memory->scan_stop;
}

void *scan_thread(void *argument)
{
        struct memory *memory = argument;

        progress_follow(&memory->scan_progress);
        while (wait_for_askers(memory)) {
                scan_step(memory, clock_now());
                progress_made();
        }
        return NULL;
}
