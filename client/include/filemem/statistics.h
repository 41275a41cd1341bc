// SPDX-License-Identifier: Apache-2.0
#ifndef FILEMEM_STATISTICS_H
#define FILEMEM_STATISTICS_H

/*
 * The statistics of filememd, for programs that watch.
 *
 *         struct filemem_statistics_pool pool;
 *         filemem_statistics *statistics;
 *         size_t place = 0;
 *
 *         filemem_statistics_open(session, &statistics);
 *         while (filemem_statistics_next_pool(statistics, &place, &pool) > 0)
 *                 printf("%s %llu\n", pool.name, (unsigned long long)pool.stored);
 *         filemem_statistics_close(statistics);
 *
 * The daemon keeps them up to date in a page of memory that it shares for reading. To open it takes
 * one request; to read it takes no system call and costs the daemon nothing, however many read
 * however often. What changes is in the page after filemem_statistics_totals.interval.
 *
 * What a user sees: the totals, durations and refusals of the whole daemon; the pools that it may
 * ask about, as with filemem_pools(); the sessions that it may see, as with filemem_sessions(). The
 * administrators see all of them, and how much each user has. A session in no pool (no_pool) serves
 * as well as any other; a peer sees nothing of it.
 *
 * The page ends with the session that opened it (or another one of the same user that opened it
 * too), with the daemon, and when the daemon has read its configuration again: then every call
 * returns -ESTALE. Close it, and open it again: on the same session or, if that is gone, on a new
 * one.
 *
 * Each record is read whole: all its numbers are of one moment. Two records are of different
 * moments. Times are nanoseconds of one clock of the daemon; compare them with `now` of the totals.
 * What a later daemon has more is not seen here; what an older one has not is 0.
 *
 * Thread safe but for filemem_statistics_close(). Results are as in <filemem/filemem.h>.
 */
#include <filemem/filemem.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct filemem_statistics filemem_statistics;

/*
 * Opens the statistics. They use the session only now, and end with it. Returns 0; -EPERM for a
 * peer; -ENOSYS if the daemon is older than this; -EDQUOT if too many others watch; -EMFILE if this
 * process has no descriptor left; -ENOMEM; -EPROTO.
 */
FILEMEM_API int filemem_statistics_open(filemem_session *session, filemem_statistics **ret);

/* NULL is fine. Returns NULL. */
FILEMEM_API filemem_statistics *filemem_statistics_close(filemem_statistics *statistics);

/*
 * The records. They are what the page has: numbers of 64 bits and texts that end with a zero byte.
 * New fields are added at their ends, and none is changed. The first word of each is not 0.
 */
#define FILEMEM_STATISTICS_KINDS   8 /* places; those from FILEMEM_KINDS on are 0 */
#define FILEMEM_STATISTICS_BUCKETS 128

struct filemem_statistics_totals {
        uint64_t now;      /* when this was written */
        uint64_t interval; /* ns to the next time, about */
        uint64_t all;      /* 1: of an administrator, who sees all pools and sessions; else 0 */
        uint64_t pid;      /* of the daemon */
        uint64_t started_at;
        uint64_t pools;
        uint64_t sessions;
        uint64_t sessions_total; /* since the start, as all counts that follow */
        uint64_t requests;
        uint64_t operations;
        uint64_t refusals;
        uint64_t protocol_errors; /* sessions that were ended for one */
        uint64_t allocations;
        uint64_t allocated_bytes;
        uint64_t releases; /* decrefs */
        uint64_t released_bytes;
        uint64_t scans;
        uint64_t reclaimed; /* bytes */
        uint64_t punches;
        uint64_t punch_failures;
        /* Sums over all pools, bytes: see struct filemem_statistics_pool. */
        uint64_t capacity;
        uint64_t size;
        uint64_t allocated[FILEMEM_STATISTICS_KINDS];
        uint64_t committed[FILEMEM_STATISTICS_KINDS];
        uint64_t reclaimable;
        uint64_t reclaimable_committed;
        uint64_t stray;
        uint64_t stored;
        uint64_t swapped;
        uint64_t entries;
        uint64_t metadata;
        char version[32];
        char accounting[16];
        uint64_t restarts; /* daemons before this one whose sessions it went on with */
};

struct filemem_statistics_pool {
        uint64_t id; /* never used again by this daemon */
        char name[72];
        uint64_t state; /* enum filemem_pool_state */
        uint64_t private_pool;
        uint64_t uid; /* of a private pool: who made it */
        uint64_t capacity;
        uint64_t size;
        uint64_t allocated[FILEMEM_STATISTICS_KINDS]; /* bytes that somebody holds */
        uint64_t committed[FILEMEM_STATISTICS_KINDS]; /* of these; as of the last scan, and what is
                                                         known since */
        uint64_t reclaimable;                         /* freed and not yet given back */
        uint64_t reclaimable_committed;
        uint64_t stray;      /* committed outside every range, at the last scan */
        uint64_t stored;     /* that the kernel stores for the file, now */
        uint64_t swapped;    /* of it, at the last scan */
        uint64_t scanned_at; /* 0: never */
        uint64_t exact;      /* committed is what the last scan counted, not divided */
        uint64_t entries;    /* of the usage tree */
        uint64_t sessions;
        uint64_t metadata;    /* bytes of the daemon's memory for tree and holdings */
        uint64_t largest_gap; /* bytes: the longest allocation that would fit somewhere */
        uint64_t limit;       /* of committed bytes; FILEMEM_UNLIMITED: none */
};

struct filemem_statistics_session {
        uint64_t id; /* never used again by this daemon */
        uint64_t pid;
        uint64_t uid;
        uint64_t gid;
        uint64_t parent;    /* of a peer: the session that opened it */
        uint64_t pool;      /* id of the pool; 0: in none */
        char pool_name[72]; /* "": in none */
        char label[72];
        uint64_t read_only;
        uint64_t opened_at;
        uint64_t active_at; /* its last request; 0: none yet */
        uint64_t held;      /* bytes of ranges that it holds */
        uint64_t ranges;    /* that it holds */
        uint64_t requests;
        uint64_t operations;
        uint64_t refusals; /* of operations */
        uint64_t allocations;
        uint64_t allocated_bytes;
        uint64_t releases;
        uint64_t released_bytes;
        uint64_t unread; /* bytes of answers that it does not read */
        uint64_t waits;  /* 1: a request of it waits for a thread, or for its turn */
};

/* Of all sessions of a user. Administrators see these. */
struct filemem_statistics_user {
        uint64_t sessions;
        uint64_t uid;
        uint64_t others; /* not 0: this is the sum over so many more users; uid is 0 then */
        uint64_t held;   /* bytes; what two sessions hold counts for both */
        uint64_t ranges;
        uint64_t peers;
        uint64_t unread;
};

enum filemem_statistics_group {
        FILEMEM_STATISTICS_REQUEST, /* from the time when it was read to its answer. The name is
                                       that of its operation, or "batch" if it has several */
        FILEMEM_STATISTICS_RECLAIM, /* of one punch of freed memory */
        FILEMEM_STATISTICS_SCAN,    /* of one scan of a pool */
};

/* How long something took, how often. */
struct filemem_statistics_durations {
        char name[24];
        uint64_t group; /* enum filemem_statistics_group */
        uint64_t count;
        uint64_t sum;                                 /* ns */
        uint64_t buckets[FILEMEM_STATISTICS_BUCKETS]; /* how many took less than the limit of this
                                                         bucket, and not less than of the one before
                                                       */
};

/* The limit of a bucket in ns: the first above 0 is 64, four are between any two powers of two from
 * 256 on. The last one has none: UINT64_MAX. */
FILEMEM_API uint64_t filemem_statistics_bucket_limit(size_t bucket);

/*
 * The duration that this part of them, from 0 to 1, does not exceed, in ns: the limit of its
 * bucket, at most a fourth too high. 0 if there are none.
 */
FILEMEM_API uint64_t filemem_statistics_quantile(
        const struct filemem_statistics_durations *durations, double part);

/* How often the daemon has refused something. */
struct filemem_statistics_refusal {
        char name[40]; /* "limit_bytes", "not_held", ...: the documented ones by name, or "error" */
        uint64_t count;
};

/* ---- reading --------------------------------------------------------------------------------- */

FILEMEM_API int filemem_statistics_totals_sized(
        const filemem_statistics *statistics, struct filemem_statistics_totals *ret, size_t size);
FILEMEM_INLINE int filemem_statistics_totals(
        const filemem_statistics *statistics, struct filemem_statistics_totals *ret)
{
        return filemem_statistics_totals_sized(statistics, ret, sizeof(*ret));
}

/*
 * One record after the other. *place: 0 at first, is moved on. Return 1 with the next record, 0 if
 * there is none any more, or a negative errno. Neither sessions nor pools are in order.
 */
FILEMEM_API int filemem_statistics_next_pool_sized(const filemem_statistics *statistics,
        size_t *place, struct filemem_statistics_pool *ret, size_t size);
FILEMEM_INLINE int filemem_statistics_next_pool(
        const filemem_statistics *statistics, size_t *place, struct filemem_statistics_pool *ret)
{
        return filemem_statistics_next_pool_sized(statistics, place, ret, sizeof(*ret));
}
FILEMEM_API int filemem_statistics_next_session_sized(const filemem_statistics *statistics,
        size_t *place, struct filemem_statistics_session *ret, size_t size);
FILEMEM_INLINE int filemem_statistics_next_session(
        const filemem_statistics *statistics, size_t *place, struct filemem_statistics_session *ret)
{
        return filemem_statistics_next_session_sized(statistics, place, ret, sizeof(*ret));
}
FILEMEM_API int filemem_statistics_next_user_sized(const filemem_statistics *statistics,
        size_t *place, struct filemem_statistics_user *ret, size_t size);
FILEMEM_INLINE int filemem_statistics_next_user(
        const filemem_statistics *statistics, size_t *place, struct filemem_statistics_user *ret)
{
        return filemem_statistics_next_user_sized(statistics, place, ret, sizeof(*ret));
}
FILEMEM_API int filemem_statistics_next_durations_sized(const filemem_statistics *statistics,
        size_t *place, struct filemem_statistics_durations *ret, size_t size);
FILEMEM_INLINE int filemem_statistics_next_durations(const filemem_statistics *statistics,
        size_t *place, struct filemem_statistics_durations *ret)
{
        return filemem_statistics_next_durations_sized(statistics, place, ret, sizeof(*ret));
}
FILEMEM_API int filemem_statistics_next_refusal_sized(const filemem_statistics *statistics,
        size_t *place, struct filemem_statistics_refusal *ret, size_t size);
FILEMEM_INLINE int filemem_statistics_next_refusal(
        const filemem_statistics *statistics, size_t *place, struct filemem_statistics_refusal *ret)
{
        return filemem_statistics_next_refusal_sized(statistics, place, ret, sizeof(*ret));
}

#ifdef __cplusplus
}
#endif

#endif
