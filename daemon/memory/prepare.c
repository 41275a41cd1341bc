// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"

#include <errno.h>

/*
 * An allocation that takes system calls before its range is handed out. They run on the reclaim
 * thread, in pieces between the work that is there besides, because the server's loop must not wait
 * for them and the kernel serialises what changes one file anyway.
 *
 * The range is taken first, with REFS_PREPARING references of the holder that is to have it: nobody
 * else can be given it, take a reference on it or free it, and this thread is the only one that
 * punches. When all is done these become one reference. Who fails or is cancelled gives the range
 * up like any other, so that what was stored of it is given back by the same rules.
 *
 * Preparations of one pool take turns, a piece each: a large one does not keep the small ones.
 */
void pool_prepare(
        struct pool_job *job, struct holder *holder, uint64_t length, unsigned kind, bool commit)
{
        struct pool *pool = holder->pool;

        job->pool = pool;
        job->holder = holder;
        job->range = job->left = (struct range){0, 0};
        job->length = length;
        job->kind = kind;
        job->verify = pool->zero_verify;
        job->commit = commit;
        job->undo = 0;
        atomic_store(&job->cancelled, false);
        LOCK_SCOPE(&pool->lock);
        TAILQ_INSERT_TAIL(&pool->preparations, job, link);
        reclaim_wake(pool, true);
}

void pool_cancel(struct pool_job *job)
{
        atomic_store(&job->cancelled, true);
}

static bool is_begun(const struct pool_job *job)
{
        return job->range.end != 0;
}

/* Takes the range, when there is memory for it. */
static int begin(struct pool_job *job)
{
        int r = pool_take(
                job->holder, job->length, job->kind, REFS_PREPARING, &job->range, &job->size);

        if (r)
                return r;
        job->left = job->range;
        return job->commit ? commit_begin(job) : 0;
}

/* One piece of what there is to do with the range. */
static int work(struct pool_job *job)
{
        int r = 0;

        if (job->verify)
                r = verify_piece(job);
        else if (job->commit)
                r = commit_piece(job);
        else
                job->left.start = job->left.end; /* it was asked for nothing but the range */
        if (r || job->left.start < job->left.end)
                return r;
        if (!job->verify || !job->commit) {
                job->left = (struct range){0, 0}; /* that was the last */
                return 0;
        }
        job->verify = false;
        job->left = job->range;
        return 0;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

/*
 * What was committed is counted as that, else nothing is. A client may have punched some of it
 * since: the next scan sees that by the ctime, which is then later than that of the last. Unless
 * that one has begun after the first piece, and has seen the ctime that the punch left: then it is
 * an estimate.
 */
static bool change_hand_over(struct usage_entry *entry, void *argument)
{
        const struct pool_job *job = argument;

        check(entry->refs == REFS_PREPARING);
        entry->refs = 1;
        entry->tags &= (uint8_t)~USAGE_SCANNING;
        entry->committed = job->commit ? entry->end - entry->start : 0;
        entry->tags &= (uint8_t)~USAGE_ESTIMATED;
        if (job->commit && atomic_load(&job->pool->scans_begun) != job->scans_begun)
                entry->tags |= USAGE_ESTIMATED;
        return true;
}

static bool change_hold(struct usage_entry *entry, void *argument)
{
        (void)argument;
        check(entry->refs == REFS_PREPARING);
        entry->refs = 1;
        return true;
}

/* The range becomes what the holder asked for. Returns 0 or -ENOMEM. */
static int hand_over(struct pool_job *job)
{
        struct holder *holder = job->holder;
        struct pool *pool = job->pool;
        uint32_t start = pool_page(pool, job->range.start), end = pool_page(pool, job->range.end);
        LOCK_SCOPE(&pool->lock);
        int r = usage_nodes_reserve(
                &pool->nodes, usage_tree_need(&pool->tree) + holder_need(holder));

        if (r < 0)
                return r;
        usage_tree_change(&pool->tree, start, end, change_hand_over, job);
        if (pool->sole != holder)
                usage_tree_change(&holder->holdings, start, end, change_hold, NULL);
        if (pool->recorder)
                record_allocate(holder, start, end, (uint8_t)job->kind);
        pool->leased -= end - start;
        return 0;
}

/* The range becomes a freed one. Returns 0 or -ENOMEM, with nothing changed. */
static int give_up(struct pool_job *job)
{
        struct pool *pool = job->pool;
        uint32_t start = pool_page(pool, job->range.start), end = pool_page(pool, job->range.end);
        LOCK_SCOPE(&pool->lock);
        int r = holder_drop(job->holder, NULL, start, end, REFS_PREPARING);

        if (r == 0)
                pool->leased -= end - start;
        return r;
}

/* What was committed so far is to be punched: then it is `left` that is to be undone. */
static void begin_undo(struct pool_job *job, int reason)
{
        uint64_t reached = job->left.start;

        if (job->left.end == 0) /* all was done but the last */
                reached = job->range.end;
        job->undo = reason;
        job->left = (struct range){job->range.start, job->range.start};
        if (job->commit && !job->verify)
                job->left.end = reached;
        commit_end(job);
}

/* ---- steps -------------------------------------------------------------------------------------
 */

enum step {
        STEP_MORE,
        STEP_DONE,
        STEP_STUCK, /* out of memory: again in a while */
};

/*
 * One piece of the way back. What was stored is punched before the answer, so that who is refused
 * finds that memory free again; where that fails it is punched, or zeroed, as a freed range.
 */
static enum step undo_step(struct pool_job *job)
{
        struct range piece = job->left;

        if (piece.start == piece.end)
                return give_up(job) < 0 ? STEP_STUCK : STEP_DONE;
        if (piece.end - piece.start > PUNCH_MAX)
                piece.end = piece.start + PUNCH_MAX;
        job->left.start = piece.end;
        if (pool_punch(job->pool, piece) < 0)
                job->left.start = job->left.end;
        return STEP_MORE;
}

/* One step of a job that was taken from the list; *ret_result is what it is done with. */
static enum step step(struct pool_job *job, int *ret_result)
{
        int r = atomic_load(&job->cancelled) ? -ECANCELED : 0;

        *ret_result = job->undo;
        if (job->undo)
                return undo_step(job);
        if (!r)
                r = is_begun(job) ? work(job) : begin(job);
        if (!r && job->left.start < job->left.end)
                return STEP_MORE;
        if (!r)
                r = hand_over(job);
        *ret_result = r;
        if (!r || !is_begun(job))
                return STEP_DONE;
        begin_undo(job, r);
        return STEP_MORE;
}

static struct pool_job *next(struct pool *pool)
{
        LOCK_SCOPE(&pool->lock);
        struct pool_job *job = TAILQ_FIRST(&pool->preparations);

        if (job)
                TAILQ_REMOVE(&pool->preparations, job, link);
        return job;
}

static void put_back(struct pool *pool, struct pool_job *job)
{
        LOCK_SCOPE(&pool->lock);
        TAILQ_INSERT_TAIL(&pool->preparations, job, link);
}

static enum reclaim_result what_next(struct pool *pool)
{
        LOCK_SCOPE(&pool->lock);
        return TAILQ_EMPTY(&pool->preparations) ? RECLAIM_DONE : RECLAIM_MORE;
}

enum reclaim_result prepare_step(struct pool *pool)
{
        struct pool_job *job = next(pool);
        enum step was;
        int result;

        if (!job)
                return RECLAIM_DONE;
        was = step(job, &result);
        if (was == STEP_DONE)
                job->done(job, result);
        else
                put_back(pool, job);
        return was == STEP_STUCK ? RECLAIM_LATER : what_next(pool);
}
