// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

/*
 * Decommit by a client. It runs on the reclaim thread, between two punches of its own, because the
 * kernel serialises the punches of one file anyway and the server's loop must not wait for one.
 *
 * Between the check and the punch, without the lock, others may take or give up references: that is
 * as if they had done so after the decommit. The range cannot become somebody else's meanwhile,
 * since only this thread gives freed ranges back.
 */
static bool change_uncommitted(struct usage_entry *entry, void *argument)
{
        (void)argument;
        entry->committed = 0;
        entry->tags &= (uint8_t) ~(USAGE_ESTIMATED | USAGE_SCANNING);
        return true;
}

static int decommit_piece(struct pool *pool, struct range piece)
{
        int r = pool_punch(pool, piece);

        if (r < 0)
                return r;
        LOCK_SCOPE_PATIENT(&pool->lock);
        usage_tree_change(&pool->tree, pool_page(pool, piece.start), pool_page(pool, piece.end),
                change_uncommitted, NULL);
        return 0;
}

void decommit_run(struct pool_job *job)
{
        struct range left = job->range;
        int r = pool_check_decommit(job->holder, left, job->shared);

        while (r == 0 && left.start < left.end) {
                struct range piece = left;

                if (piece.end - piece.start > PUNCH_MAX)
                        piece.end = piece.start + PUNCH_MAX;
                r = decommit_piece(job->pool, piece);
                left.start = piece.end;
        }
        job->done(job, r);
}

void pool_decommit(struct pool_job *job, struct holder *holder, struct range range, bool shared)
{
        struct pool *pool = holder->pool;

        job->pool = pool;
        job->holder = holder;
        job->range = range;
        job->shared = shared;
        LOCK_SCOPE(&pool->lock);
        TAILQ_INSERT_TAIL(&pool->decommits, job, link);
        reclaim_wake(pool, true);
}
