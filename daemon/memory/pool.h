// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/histogram.h"
#include "usage/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * The front door of the memory room; nothing else of it is included from outside.
 *
 *   struct memory   the pools of one daemon and the two threads that serve them: the reclaim
 * thread, the only one that punches holes, and the scan thread, which asks the kernel what it
 * stores. struct pool     one memfd, its usage tree, its capacity. Everything in it is guarded by
 * its lock, which is held for tree work only, never across a system call. struct holder   what one
 * session holds in a pool: range to count.
 *
 * Invariant: the references in a pool's tree are exactly the sum over its holders.
 *
 * Thread safety: everything here may be called from any thread, but for the creation and
 * destruction of one object, which is its owner's. What takes long is a struct pool_job: it is
 * begun here, done on one of the threads, and its `done` called from there.
 *
 * Results are those of base/error.h: 0, an enum outcome, or a negative errno.
 */
struct memory;
struct pool;
struct holder;

#define HUGEPAGE_SIZE (UINT64_C(2) << 20)
#define CHUNK_SIZE    (UINT64_C(16) << 20)
/* The tree compares pages as signed numbers of 32 bits: just below 8 TiB of 4 KiB pages. */
#define POOL_PAGES_MAX ((UINT64_C(1) << 31) - 4096)
#define POOL_NAME_MAX  64

/* How committed pages are counted. */
enum accounting {
        ACCOUNTING_BEST,      /* cachestat where the kernel has and allows it, else seek */
        ACCOUNTING_CACHESTAT, /* cachestat(2), Linux 6.5: resident plus swapped */
        ACCOUNTING_SEEK,      /* SEEK_DATA and SEEK_HOLE: cannot tell what of it is swapped */
};

struct memory_options {
        enum accounting accounting;
};

/*
 * Threads are started by memory_start(), so that tests can do their work step by step instead.
 * Returns 0, -ENOSYS if the asked for accounting does not work here, or another negative errno.
 */
int memory_new(const struct memory_options *options, struct memory **ret);
int memory_start(struct memory *memory);

/*
 * Stops the threads after what they are at; jobs that had not begun are done with -ECANCELED.
 * Nobody may begin another one. Then holders and pools can be freed, in this order. NULL is fine.
 */
void memory_stop(struct memory *memory);

/* Stopped, and all pools gone. NULL is fine; returns NULL. */
struct memory *memory_free(struct memory *memory);

struct memory_statistics {
        const char *accounting; /* "cachestat" or "seek" */
        uint64_t scans;         /* that asked the kernel for more than fstat */
        uint64_t reclaimed;     /* bytes punched because nobody held them */
        uint64_t punches;
        uint64_t punch_failures;
};

void memory_statistics(struct memory *memory, struct memory_statistics *ret);

/* What one of the threads has done, and whether it should be doing something. */
struct memory_progress {
        const char *thread; /* "reclaim" or "scan" */
        uint64_t steps;     /* see base/progress.h */
        bool has_work;      /* now, by the clock */
};

#define MEMORY_THREADS 2

/*
 * For a watchdog: a thread is stuck if it has had work for long and its steps stay the same. Takes
 * no lock that is held for long; `now` is clock_now().
 */
void memory_progress(
        struct memory *memory, uint64_t now, struct memory_progress ret[MEMORY_THREADS]);

/* How long each punch took, and each scan that asked the kernel for more than fstat. */
const struct histogram *memory_punch_times(const struct memory *memory);
const struct histogram *memory_scan_times(const struct memory *memory);

/* ---- pools ----------------------------------------------------------------------------------- */

struct pool_options {
        const char *name;  /* at most POOL_NAME_MAX bytes; copied */
        uint64_t capacity; /* bytes; a multiple of CHUNK_SIZE; 0: twice the RAM as a power of two */
        bool exec;         /* clients may map it executable */
        bool zero_verify;  /* ranges are looked at, and punched, before they are handed out */
        bool huge_advise;  /* clients ask for huge pages under ranges of 2 MiB and more */
};

/* Makes the memfd, sealed and sized. Returns 0, -EINVAL for options out of range, a negative errno.
 */
int pool_new(struct memory *memory, const struct pool_options *options, struct pool **ret);

/* All holders must be freed and the threads stopped. NULL is fine; returns NULL. */
struct pool *pool_free(struct pool *pool);

/*
 * The same while the threads run: the reclaim thread gives back its memory and frees it, in pieces
 * between its other work. All holders must be freed, and no job of the pool may be under way.
 * Without threads, and by memory_stop(), it is freed at once.
 */
void pool_retire(struct pool *pool);

/* The read-write memfd, borrowed: valid as long as the pool. */
int pool_fd(const struct pool *pool);

/* The same memfd opened for reading: what has it can neither write to it nor map it so. */
int pool_read_only_fd(const struct pool *pool);

/* Whether ranges have to be prepared, not allocated: zero_verify. */
bool pool_verifies(const struct pool *pool);

struct pool_information {
        const char *name;  /* valid as long as the pool */
        uint64_t capacity; /* bytes, as all that follows unless it says otherwise */
        uint64_t size;
        uint64_t page_size;
        bool exec;
        bool zero_verify;
        bool huge_advise;
        uint64_t entries;  /* of the tree */
        uint64_t holders;  /* count */
        uint64_t metadata; /* memory of the tree and the holdings */
        uint64_t largest_gap;
        uint64_t leased; /* bytes that are held and being prepared: not handed out yet */
};

void pool_information(struct pool *pool, struct pool_information *ret);

struct pool_usage {
        uint64_t allocated[KIND_COUNT]; /* held ranges, bytes, as all of these */
        uint64_t committed[KIND_COUNT]; /* of them */
        uint64_t reclaimable;           /* freed and not yet given back */
        uint64_t reclaimable_committed; /* of it */
        uint64_t stray;                 /* committed outside every range, at the last scan */
        uint64_t total;                 /* stored by the kernel for the file, at the last scan */
        uint64_t swapped;    /* of the total, when pages were last counted; 0 with ACCOUNTING_SEEK.
                              * Going to swap changes nothing else, and so starts no count */
        uint64_t scanned_at; /* clock_now() of the last scan; 0: never */
        bool exact;          /* no entry carries an estimate */
};

/* What the kernel stores for the file, right now: one fstat(2). Returns 0 or a negative errno. */
int pool_stored(const struct pool *pool, uint64_t *ret);

/* What is known, without asking the kernel. */
void pool_usage(struct pool *pool, struct pool_usage *ret);

struct pool_entry {
        struct range range;
        enum kind kind;
        uint32_t refs;      /* 0: freed, not yet given back; UINT32_MAX: being prepared */
        uint64_t committed; /* bytes */
        bool estimated;
};

/*
 * The entries of the tree that end above `from` (bytes), lowest first, at most `length` of them.
 * Returns how many were written; *ret_next is where to go on, 0 if that was all.
 */
size_t pool_dump(struct pool *pool, uint64_t from, struct pool_entry *entries, size_t length,
        uint64_t *ret_next);

/* Walks tree and holdings and checks every invariant of the pool; aborts on a broken one. */
void pool_validate(struct pool *pool);

/* ---- holders and what they do ---------------------------------------------------------------- */

/* Returns 0 or -ENOMEM. */
int holder_new(struct pool *pool, struct holder **ret);

/*
 * Releases all that it holds and frees it. Large holdings are released piece by piece on the
 * reclaim thread, so that nobody waits. No job of the holder may be under way. NULL is fine;
 * returns NULL.
 */
struct holder *holder_free(struct holder *holder);

/*
 * The same. Returns true if all is released now. Else `released` is called once when it is, from
 * the reclaim thread under the pool's lock, so it can do little; and not at all when the threads
 * were stopped before.
 */
bool holder_release(struct holder *holder, void (*released)(void *context), void *context);

/*
 * What a holder may have. An operation that might make it more is refused, with nothing changed.
 *
 * Ranges are the entries of its holdings: what it holds, cut where the count or the kind changes.
 * Of the only one that holds anything in a pool they are those of the pool's tree, also what was
 * freed and is not given back yet.
 * The pool's tree has at most twice as many held entries as all its holdings together. To hold
 * more is refused up to two entries too early, and one more for each change of the kind in the
 * range of an incref. Giving up a part of a range can make two of one: that needs room as well, up
 * to cut_ranges. What makes no new ranges is never refused.
 */
struct holder_limits {
        uint64_t bytes;
        uint64_t ranges;
        uint64_t cut_ranges;
};

#define HOLDER_LIMITS_NONE ((struct holder_limits){UINT64_MAX, UINT64_MAX, UINT64_MAX})

/* A new holder has none. */
void holder_set_limits(struct holder *holder, const struct holder_limits *limits);

struct holder_information {
        uint64_t held;     /* bytes of ranges held, each counted once */
        uint64_t holdings; /* entries */
};

void holder_information(struct holder *holder, struct holder_information *ret);

/* A part of what a holder holds, of one kind and with the same references. */
struct pool_holding {
        struct range range;
        enum kind kind;
        uint32_t count;     /* references of the holder; UINT32_MAX: being prepared for it */
        uint32_t refs;      /* of all */
        uint64_t committed; /* bytes; also counted for the others who hold the range */
        bool estimated;
};

/*
 * What the holder holds from `from` (bytes) on, lowest first, at most `length` parts. Returns how
 * many were written; *ret_next is where to go on, 0 if that was all. There may be none on the way.
 * O(log n) for each.
 */
size_t holder_list(struct holder *holder, uint64_t from, struct pool_holding *list, size_t length,
        uint64_t *ret_next);

struct holder_overlap {
        uint64_t held; /* bytes of the range that it holds */
        uint32_t most; /* the most references that it has on one of them */
        bool more;     /* that was not all of the range */
};

/*
 * What the holder holds of a range, which was checked to lie in the pool. *left: how many entries
 * may be looked at; counts down.
 */
void holder_overlap(
        struct holder *holder, struct range range, unsigned *left, struct holder_overlap *ret);

/*
 * Gives the holder `length` bytes (a positive multiple of the page size) at the lowest offset where
 * they fit, 2 MiB aligned if they are 2 MiB or more. They read as zero, unless somebody has written
 * there through a stale mapping; a pool with zero_verify has pool_prepare() for this. *ret_size is
 * the size of the pool then. Returns 0, OUTCOME_LENGTH_*, OUTCOME_KIND_UNKNOWN,
 * OUTCOME_LIMIT_BYTES, OUTCOME_LIMIT_RANGES, OUTCOME_POOL_FULL or -ENOMEM.
 */
int pool_allocate(struct holder *holder, uint64_t length, unsigned kind, struct range *ret,
        uint64_t *ret_size);

/*
 * One more reference of this holder on every page of an allocated range. Returns 0,
 * OUTCOME_RANGE_*, OUTCOME_NOT_ALLOCATED (also for what is freed: that cannot be revived),
 * OUTCOME_REFS_OVERFLOW, OUTCOME_LIMIT_BYTES, OUTCOME_LIMIT_RANGES, OUTCOME_RANGE_DIVIDED (the
 * range has so many entries that others would have to wait for it) or -ENOMEM.
 */
int pool_incref(struct holder *holder, struct range range);

/*
 * One reference less on every page; the holder must have one on each. What has none left is of kind
 * System and is given back to the kernel by the reclaim thread. Returns 0, OUTCOME_RANGE_*,
 * OUTCOME_NOT_ALLOCATED, OUTCOME_NOT_HELD, OUTCOME_LIMIT_RANGES or -ENOMEM. Where the range has
 * very many entries it is done in parts, and -ENOMEM may come after some of them.
 */
int pool_decref(struct holder *holder, struct range range);

/*
 * One part of that, for who has other things to do in between. *from: the start of the range at
 * first; moves on with each part, and is its end after the last. The whole range is checked before
 * the first part. Returns as pool_decref().
 */
int pool_decref_part(struct holder *holder, struct range range, uint64_t *from);

/* Something that takes a system call too long for the caller's thread. Embed it in what it is for.
 */
struct pool_job {
        /* Called once, from the thread that did it, with no lock held; may free the job. */
        void (*done)(struct pool_job *job, int result);

        /* Owned by the memory room until then. */
        struct holder *holder;
        struct pool *pool;
        struct range range; /* when a preparation is done: what was allocated */
        bool shared;
        TAILQ_ENTRY(pool_job) link;

        /* of pool_prepare() */
        uint64_t length;
        uint64_t size; /* of the pool, when it is done */
        unsigned kind;
        bool verify;          /* still to do */
        bool commit;          /* still to do */
        struct range left;    /* of the range, for the one of these that is at it */
        uint64_t scans_begun; /* before the first piece */
        uint64_t promised;    /* bytes of the budget that are set aside for it */
        int undo;             /* why it has to be undone; 0: it has not */

        /* of pool_trim() */
        bool trimming;  /* it has begun; and when it has, */
        uint64_t from;  /* what the pool had given back then, */
        uint64_t until; /* what it has to have, */
        uint64_t pass;  /* and which pass through the gaps has to be over */

        _Atomic bool cancelled;
};

TAILQ_HEAD(pool_job_list, pool_job);

/*
 * Makes the pages of a range uncommitted: they read as zero and cost nothing until touched again.
 * References and kind stay. Everything is checked when it is done, not when it is begun. The
 * result: 0, OUTCOME_RANGE_*, OUTCOME_NOT_ALLOCATED, OUTCOME_NOT_HELD, OUTCOME_SHARED (somebody
 * else holds part of it, and `shared` was not said), OUTCOME_RANGE_DIVIDED, -ECANCELED, or the
 * negative errno of the punch, after which the range may be decommitted in part.
 */
void pool_decommit(struct pool_job *job, struct holder *holder, struct range range, bool shared);

/*
 * Allocates as pool_allocate() does, and has the range looked at and punched first in a pool with
 * zero_verify, and committed where `commit` is said: so that lack of memory is a result here and
 * no SIGBUS later. Job->range and job->size are what it got. The range is in the tree with a count
 * of references that nobody can add to until it is through, and done is called then. Large ones are
 * done in pieces, between other work; pool_cancel() ends it at the next.
 *
 * The result, besides those of pool_allocate(): OUTCOME_OVER_BUDGET (so little memory would be
 * left that something might be killed for it), OUTCOME_NO_MEMORY, -ECANCELED, or the negative errno
 * of a system call. Whatever it is but 0, the range is given up again and what was committed of it
 * punched.
 */
void pool_prepare(
        struct pool_job *job, struct holder *holder, uint64_t length, unsigned kind, bool commit);

/*
 * Nobody wants the result of pool_prepare() any more. It is done with -ECANCELED soon, or with what
 * it has come to. For a job of another sort that is under way this does nothing.
 */
void pool_cancel(struct pool_job *job);

/*
 * Has the reclaim thread give back all that is freed and all stray pages, now, and tells when that
 * is done: what is freed meanwhile is not waited for. job->size is how many bytes it gave back. The
 * result: 0, OUTCOME_TRIM_FAILED (the kernel or the daemon's memory refused; it goes on trying) or
 * -ECANCELED. pool_cancel() ends it soon.
 */
void pool_trim(struct pool_job *job, struct pool *pool);

/*
 * Has the scan thread bring the committed numbers up to date, for pool_usage() to tell. Askers that
 * come before a scan begins share it. Polling is bounded: a scan that would make the thread take
 * more than 1/8 of a core is not done, the numbers of the last one stand and scanned_at says how
 * old they are. The result: 0, -ECANCELED, or the errno of the system call that failed.
 */
void pool_update_usage(struct pool_job *job, struct pool *pool);
