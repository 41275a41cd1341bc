// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * What the files of this room share and nobody outside sees.
 *
 * Threads and what they may do:
 *
 *   any thread      the functions of pool.h: tree work under the pool's lock
 *   reclaim thread  punches holes, of all pools: the only one, so a range that it found freed
 * cannot be given back, allocated again and filled while a punch of it is on its way scan thread
 * counts committed pages, of all pools
 *
 * Where no threads were started (tests) reclaim_step() and scan_step() do one piece of their work.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/progress.h"
#include "memory/account.h"
#include "memory/memfile.h"
#include "memory/pool.h"
#include "memory/record.h"
#include "memory/scan.h"
#include "usage/usage_tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/*
 * What a session holds. As long as one holder alone holds all that is held in a pool, it is the
 * pool's `sole` one: the pool's tree then says what it holds too, and `holdings` is empty. So a
 * pool with one client costs one tree, not two. Its holdings are written down when a second holder
 * gets its first reference.
 */
struct holder {
        struct pool *pool;
        struct usage_tree holdings;
        uint32_t released; /* of a sole orphan: it holds nothing below this page any more */
        struct {
                uint64_t pages;
                uint64_t entries;
                uint64_t cut_entries;
        } room;                  /* what it may have: struct holder_limits */
        LIST_ENTRY(holder) link; /* in pool->holders, or pool->orphans when its session is gone */
        void (*on_released)(void *context); /* or NULL */
        void *context;
        struct holder_results results; /* in a pool with a journal */
};

struct pool {
        /* fixed at birth */
        struct memory *memory;
        char name[POOL_NAME_MAX + 1];
        struct memfile file;
        bool exec;
        bool zero_verify;
        bool huge_advise;
        bool damaged;              /* its journal was: nothing is given or punched any more */
        struct recorder *recorder; /* NULL: it does not outlive the daemon */

        struct lock lock;

        /* under the lock */
        struct usage_nodes nodes;
        struct usage_tree tree;
        uint32_t size; /* pages */
        LIST_HEAD(, holder) holders;
        size_t holder_count;
        LIST_HEAD(, holder) orphans; /* release what they hold, then free them */
        struct holder *sole;         /* holds all that is held; NULL: each has holdings */
        bool woken;                  /* the reclaim thread knows that there are freed ranges */
        struct pool_job_list decommits;
        struct pool_job_list preparations;
        struct pool_job_list trims;
        uint32_t leased; /* pages that are being prepared */
        struct scan_result scan;
        bool retired; /* nobody uses it any more: to be freed by the reclaim thread */
        _Atomic uint64_t scans_begun; /* needs no lock */
        bool scrub;                   /* there are stray pages to punch, */
        uint64_t scrub_at;            /* from this time on */
        bool scrub_again;             /* a scan found some while a pass was under way */

        /* under memory->work_lock: in memory->work, or in memory->later until due_at */
        enum { POOL_IDLE, POOL_WORK, POOL_RESTING, POOL_LATER } queued;
        bool urgent; /* a client waits for it */
        uint64_t due_at;
        TAILQ_ENTRY(pool) work_link;

        /* under memory->scan_lock */
        struct pool_job_list askers;
        bool scan_queued;
        TAILQ_ENTRY(pool) scan_link;

        /* of the reclaim thread */
        uint32_t scrub_page;
        uint32_t retire_page;
        uint64_t scrub_passes; /* through all gaps, that are over */
        uint64_t given_back;   /* bytes */
        bool punch_failed;     /* and that was said */
        bool zero_failed;
};

TAILQ_HEAD(pool_list, pool);

struct memory {
        /* fixed at birth */
        enum accounting accounting;

        /* How much may be committed; tests put another in place of budget_available(). */
        int (*available)(uint64_t *ret);

        /* Entries of so many pages may be counted as the rest, see scan.c; tests make it less. */
        uint32_t rest_pages;

        struct lock work_lock;
        struct lock_condition work_wake;
        struct pool_list work;  /* pools with something to do for the reclaim thread */
        struct pool_list later; /* and those where it can wait, by their time */
        bool work_busy;         /* the thread is at one of them */
        bool work_stop;
        struct progress reclaim_progress;

        struct lock scan_lock;
        struct lock_condition scan_wake;
        struct pool_list scans; /* pools with askers */
        bool scan_busy;
        bool scan_stop;
        struct progress scan_progress;
        struct scan_budget scan_budget; /* of the scan thread */

        uint64_t committing; /* of the reclaim thread: bytes that were promised and are to come */

        pthread_t reclaim_thread;
        pthread_t scan_thread;
        bool started;

        _Atomic uint64_t scan_count;
        _Atomic uint64_t reclaimed;
        _Atomic uint64_t punch_count;
        _Atomic uint64_t punch_failures;
        struct histogram punch_times; /* of the reclaim thread */
        struct histogram scan_times;  /* of the scan thread */
};

static inline uint32_t pool_page(const struct pool *pool, uint64_t offset)
{
        return (uint32_t)(offset >> pool->file.page_shift);
}

static inline struct range pool_bytes(const struct pool *pool, uint32_t start, uint32_t end)
{
        unsigned shift = pool->file.page_shift;

        return (struct range){(uint64_t)start << shift, (uint64_t)end << shift};
}

/* The kernel holds the file's lock for a whole punch: so long others wait for it, and not longer.
 */
#define PUNCH_MAX (UINT64_C(128) << 20)

/* When something failed that has to work one day: how long until it is tried again. */
#define RECLAIM_RETRY_AFTER NSEC_PER_SEC

/*
 * How long a pool rests when all that was freed in it has been given back. Who frees one range
 * after the other would wake the thread for each, at a price far above that of the freeing; and
 * ranges that are freed meanwhile merge, so that there is less to punch.
 */
#define RECLAIM_REST_TIME NSEC_PER_MSEC

/*
 * Freed ranges that are found under one hold of the lock, and taken out of the tree under another
 * one, some microseconds each. Few and longer ones: it is the number of holds that those who free
 * and allocate meanwhile run into, and neighbours of one leaf are taken out at once.
 */
#define RECLAIM_BATCH 64

/*
 * While a range is prepared it has this many references, of the holder that is to have it. Nobody
 * can take one more, and it does not become one with its neighbours: so what is known of their
 * pages stays exact, and what is committed of it can be said in one number when it is through.
 */
#define REFS_PREPARING UINT32_MAX

/* Takes over the file on 0. Returns 0 or -ENOMEM. */
int pool_make(struct memory *memory, const struct pool_options *options, const struct memfile *file,
        struct pool **ret);

/* pool_allocate(), with that many references. */
int pool_take(struct holder *holder, uint64_t length, unsigned kind, uint32_t refs,
        struct range *ret, uint64_t *ret_size);

/* What pool_decommit() promises to check. */
int pool_check_decommit(struct holder *holder, struct range range, bool shared);

/*
 * The first gap between entries that ends above `page`, or what of it lies from there on. Returns
 * false if there is none. It may be gone when this returns.
 */
bool pool_find_gap(struct pool *pool, uint32_t page, uint32_t *ret_start, uint32_t *ret_end);

/* memfile_punch(), counted. */
int pool_punch(struct pool *pool, struct range range);

/* ---- holder.c: what a session holds; the caller holds the pool's lock -------------------------
 */

/* A holder of nothing, in the pool's list and in no journal; NULL: out of memory. And its end. */
struct holder *holder_make(struct pool *pool, uint64_t session);
void holder_discard(struct holder *holder);

/* What the holder holds: the tree's entries with references. */
static inline struct usage_tree *holder_tree(struct holder *holder)
{
        return holder->pool->sole == holder ? &holder->pool->tree : &holder->holdings;
}

/*
 * The holder is about to get references: settles whether it is the sole one. Returns 0 or -ENOMEM.
 * O(1), but O(n) when it ends that another one was.
 */
int holder_settle(struct holder *holder);

static inline int holder_prepare(struct holder *holder)
{
        lock_assert_held(&holder->pool->lock);
        return holder->pool->sole == holder ? 0 : holder_settle(holder);
}

/* How many nodes an insert or a change of what the holder holds may need at the most. */
static inline size_t holder_need(const struct holder *holder)
{
        return holder->pool->sole == holder ? 0 : usage_tree_need(&holder->holdings);
}

/* Whether somebody else holds a page of [start, end), all of which this one holds. */
bool holder_shares(struct holder *holder, uint32_t start, uint32_t end);

/*
 * Gives up `refs` references of every page, of the pool and of the holder, which has them. path: to
 * `start` in holder_tree(), or NULL. Returns 0 or -ENOMEM, with nothing changed.
 */
int holder_drop(struct holder *holder, struct usage_path *path, uint32_t start, uint32_t end,
        uint32_t refs);

/*
 * Gives up a bounded part of what an orphan holds, and frees it when that was the last. Returns 0
 * or -ENOMEM.
 */
int holder_release_some(struct holder *holder);

/* ---- room.c: what a session may hold; the caller holds the pool's lock ------------------------
 */

/*
 * What one operation may go through under one hold of the lock, of the pool's tree and of the
 * holdings: each entry costs some hundred nanoseconds. The sentence of OUTCOME_RANGE_DIVIDED has
 * the number too.
 */
#define OPERATION_ENTRIES 16384u

/* Whether it may hold so many pages more, which the pool has. Most may have all that there are. */
static inline bool holder_may_hold(struct holder *holder, uint64_t pages)
{
        return holder->pool->tree.capacity <= holder->room.pages / 2 ||
               usage_tree_pages(holder_tree(holder)) + pages <= holder->room.pages;
}

/* Whether the holder may be given so many pages more, as one entry. Returns 0 or OUTCOME_LIMIT_*.
 */
static inline int holder_check_allocate(struct holder *holder, uint32_t pages)
{
        const struct usage_tree *tree = holder_tree(holder);

        if (!holder_may_hold(holder, pages))
                return OUTCOME_LIMIT_BYTES;
        return tree->totals.entries >= holder->room.entries ? OUTCOME_LIMIT_RANGES : 0;
}

/*
 * The same for a reference on [start, end), all of which has some. Most have room for whatever may
 * come of it: each page an entry, and a cut at both ends. Else it is measured.
 */
int holder_measure_incref(struct holder *holder, uint32_t start, uint32_t end);

static inline int holder_check_incref(struct holder *holder, uint32_t start, uint32_t end)
{
        uint64_t entries = holder_tree(holder)->totals.entries, pages = end - start;

        lock_assert_held(&holder->pool->lock);
        if (holder_may_hold(holder, pages) && entries + pages + 2 <= holder->room.entries)
                return 0;
        return holder_measure_incref(holder, start, end);
}

/* And for giving up one on [start, end), all of which it holds: that may cut an entry at either
 * end. */
int holder_measure_decref(struct holder *holder, uint32_t start, uint32_t end);

static inline int holder_check_decref(struct holder *holder, uint32_t start, uint32_t end)
{
        lock_assert_held(&holder->pool->lock);
        if (holder_tree(holder)->totals.entries + 2 <= holder->room.cut_entries)
                return 0;
        return holder_measure_decref(holder, start, end);
}

/* How far an operation on [start, end) gets with OPERATION_ENTRIES of each tree. */
uint32_t holder_measure_reach(struct holder *holder, uint32_t start, uint32_t end);

static inline uint32_t holder_reach(struct holder *holder, uint32_t start, uint32_t end)
{
        lock_assert_held(&holder->pool->lock);
        return end - start <= OPERATION_ENTRIES ? end : holder_measure_reach(holder, start, end);
}

/* How often the kind changes in a range without gaps, plus one. */
size_t pool_count_runs(const struct pool *pool, uint32_t start, uint32_t end);

/* ---- decommit.c: on the reclaim thread ---------------------------------------------------------
 */

/* Does the job and calls done. */
void decommit_run(struct pool_job *job);

/* ---- prepare.c, verify.c, commit.c: on the reclaim thread --------------------------------------
 */

/*
 * One bounded piece of job->left, which gets shorter. Return 0, or what the preparation fails with.
 * verify_piece() makes it zero. commit_begin() asks whether there is memory for all of the range,
 * and sets it aside for commit_piece(); commit_end() gives back what is left of that.
 */
int verify_piece(struct pool_job *job);
int commit_begin(struct pool_job *job);
int commit_piece(struct pool_job *job);
void commit_end(struct pool_job *job);

/* ---- reclaim.c and reclaim_thread.c
 * --------------------------------------------------------------------------------- */

enum reclaim_result {
        RECLAIM_DONE, /* there is nothing more to do in this pool */
        RECLAIM_MORE,
        RECLAIM_REST,  /* all that was freed is given back: what comes next can wait a moment */
        RECLAIM_LATER, /* it failed: try again in a while */
        RECLAIM_GONE,  /* the pool was freed */
};

/* Asks for memory that the journal or its copy will need soon. On the reclaim thread. */
void copy_make_room(struct pool *pool);

/* One bounded piece of a copy of the pool's journal; see copy.c. */
enum reclaim_result copy_step(struct pool *pool, uint64_t now);

/* One bounded piece of the next preparation of an allocation; see prepare.c. */
enum reclaim_result prepare_step(struct pool *pool);

/*
 * There is something to do in the pool. Caller holds the pool's lock. urgent: a client waits for
 * it; else the pool may finish its rest before the thread looks.
 */
void reclaim_wake(struct pool *pool, bool urgent);

/* One bounded piece of work. now: clock_now(). */
enum reclaim_result reclaim_step(struct pool *pool, uint64_t now);

/*
 * The three parts of giving back freed ranges, lowest first, at most PUNCH_MAX bytes in all; they
 * are apart for tests to look in between. reclaim_find() returns how many it found, at most `max`
 * and RECLAIM_BATCH.
 */
size_t reclaim_find(struct pool *pool, struct range *ranges, size_t max);
int reclaim_punch(struct pool *pool, struct range range);
int reclaim_finish(struct pool *pool, const struct range *ranges, size_t count);

void *reclaim_thread(void *argument);

/* ---- trim.c: on the reclaim thread
 * ------------------------------------------------------------- */

/* Whether somebody waits for all to be given back. */
bool trim_is_wanted(struct pool *pool);

/* Before a step: notes what those want that are new. */
void trim_begin(struct pool *pool);

/* After a step: answers those that have it; failed: all. */
void trim_end(struct pool *pool, bool failed);

/* ---- retire.c: pools that end -----------------------------------------------------------------
 */

/* Whether pool_retire() was called. */
bool retire_is_due(struct pool *pool);

/* One bounded piece of its end; then frees it and returns RECLAIM_GONE. */
enum reclaim_result retire_step(struct pool *pool);

/* Frees those of a list that are retired. The threads are stopped. */
void retire_all(struct pool_list *pools);

/* ---- stray.c: on the reclaim thread -----------------------------------------------------------
 */

/*
 * The first run of pages in a gap for which the kernel stores something. Counted, it is at most a
 * chunk: so long as it is punched nobody can be given it. Returns 0, -ENXIO if there is none,
 * -EAGAIN if it went away meanwhile, or another negative errno.
 */
int stray_find(const struct pool *pool, struct range gap, struct range *ret);

/* ---- scan.c -------------------------------------------------------------------------------------
 */

/* What takes the kernel long enough to count that a look at a hundred gaps is less. */
#define SCAN_REST_PAGES 16384

/* Brings the numbers of one pool up to date, whatever the budget. Returns 0 or a negative errno. */
int scan_run(struct pool *pool);

/* Answers the askers of one pool. Returns false if there were none anywhere. */
bool scan_step(struct memory *memory, uint64_t now);

void *scan_thread(void *argument);
