// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include <errno.h>

/*
 * Giving back all that can be, for somebody who waits for it. A trim is through when a pass through
 * all gaps has begun and ended after it, and when all that was freed before it is given back: what
 * is freed meanwhile is not waited for, or a busy pool would never be through.
 */

/* All of a list of trims that was taken is done on this thread; the lock guards the list only. */
static struct pool_job *first(struct pool *pool)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        return TAILQ_FIRST(&pool->trims);
}

bool trim_is_wanted(struct pool *pool)
{
        return first(pool) != NULL;
}

static void begin(struct pool *pool, struct pool_job *job)
{
        job->trimming = true;
        job->from = pool->given_back;
        job->until = pool->given_back + pool->tree.totals.freed * pool->file.page_size;
        /* A pass that is under way may be beyond something already. */
        job->pass = pool->scrub_passes + (pool->scrub && pool->scrub_page ? 2 : 1);
        if (pool->scrub && pool->scrub_page)
                pool->scrub_again = true;
        pool->scrub = true;
        pool->scrub_at = 0;
}

void trim_begin(struct pool *pool)
{
        struct pool_job *job;
        LOCK_SCOPE_PATIENT(&pool->lock);

        TAILQ_FOREACH (job, &pool->trims, link)
                if (!job->trimming)
                        begin(pool, job);
}

static bool is_through(const struct pool *pool, const struct pool_job *job)
{
        if (pool->scrub_passes < job->pass || !LIST_EMPTY(&pool->orphans))
                return false;
        return !pool->tree.totals.freed || pool->given_back >= job->until;
}

/* Takes one from the list that is done, with what; NULL if there is none. */
static struct pool_job *take(struct pool *pool, bool failed, int *ret_result)
{
        struct pool_job *job;
        LOCK_SCOPE_PATIENT(&pool->lock);

        TAILQ_FOREACH (job, &pool->trims, link) {
                if (atomic_load(&job->cancelled))
                        *ret_result = -ECANCELED;
                else if (job->trimming && is_through(pool, job))
                        *ret_result = 0;
                else if (job->trimming && failed)
                        *ret_result = OUTCOME_TRIM_FAILED;
                else
                        continue;
                TAILQ_REMOVE(&pool->trims, job, link);
                return job;
        }
        return NULL;
}

void trim_end(struct pool *pool, bool failed)
{
        struct pool_job *job;
        int r;

        while ((job = take(pool, failed, &r))) {
                job->size = pool->given_back - job->from;
                job->done(job, r);
        }
}

void pool_trim(struct pool_job *job, struct pool *pool)
{
        job->pool = pool;
        job->trimming = false;
        job->from = 0;
        job->size = 0;
        atomic_store(&job->cancelled, false);
        LOCK_SCOPE(&pool->lock);
        TAILQ_INSERT_TAIL(&pool->trims, job, link);
        reclaim_wake(pool, true);
}
