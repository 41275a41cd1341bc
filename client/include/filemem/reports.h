// SPDX-License-Identifier: Apache-2.0
#ifndef FILEMEM_REPORTS_H
#define FILEMEM_REPORTS_H

/* Part of <filemem/filemem.h>: what the daemon has to report, and administration. */
#include <filemem/filemem.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FILEMEM_KIND_PLACES 8 /* those from FILEMEM_KINDS on are 0 */

/* Bytes; see docs/architecture.md, Accounting. */
struct filemem_usage {
        uint64_t allocated[FILEMEM_KIND_PLACES]; /* held ranges */
        uint64_t committed[FILEMEM_KIND_PLACES]; /* of these, stored by the kernel in RAM or swap */
        uint64_t reclaimable;                    /* freed and not yet given back */
        uint64_t reclaimable_committed;
        uint64_t stray;   /* committed outside every range */
        uint64_t total;   /* stored for the pool's file */
        uint64_t swapped; /* of the total, as far as the kernel tells */
        uint64_t age_ns;  /* of the committed numbers; UINT64_MAX: never scanned */
        bool exact;       /* committed is what the last scan counted, not divided */
};

/*
 * What the daemon knows, at the cost of one message; with `update` the same after it has asked the
 * kernel: if it is asked too often it answers from before, and age_ns says so. Of another pool that
 * this user may join or administers (else -EPERM); NULL is the own one. A peer may ask for its own
 * only.
 */
FILEMEM_API int filemem_usage_of_sized(
        filemem_session *session, const char *pool, struct filemem_usage *ret, size_t size);
FILEMEM_INLINE int filemem_usage_of(
        filemem_session *session, const char *pool, struct filemem_usage *ret)
{
        return filemem_usage_of_sized(session, pool, ret, sizeof(*ret));
}
FILEMEM_INLINE int filemem_usage(filemem_session *session, struct filemem_usage *ret)
{
        return filemem_usage_of(session, NULL, ret);
}
FILEMEM_API int filemem_update_usage_of_sized(
        filemem_session *session, const char *pool, struct filemem_usage *ret, size_t size);
FILEMEM_INLINE int filemem_update_usage_of(
        filemem_session *session, const char *pool, struct filemem_usage *ret)
{
        return filemem_update_usage_of_sized(session, pool, ret, sizeof(*ret));
}
FILEMEM_INLINE int filemem_update_usage(filemem_session *session, struct filemem_usage *ret)
{
        return filemem_update_usage_of(session, NULL, ret);
}

/* Committed bytes of the whole pool, asked of the kernel by this process (fstat): no message. */
FILEMEM_API int filemem_total_usage(filemem_session *session, uint64_t *ret);

/* Bytes of the pool's file in use so far: all ranges lie below. */
FILEMEM_API int filemem_total_size(filemem_session *session, uint64_t *ret);

enum filemem_pool_state {
        FILEMEM_POOL_OPEN,
        FILEMEM_POOL_DRAINING, /* gone from the configuration: who is in it goes on, nobody joins */
        FILEMEM_POOL_DESTROYED, /* its sessions are being ended */
};

struct filemem_pool {
        char name[65];
        uint64_t capacity;
        uint64_t size;
        uint64_t page_size;
        uint64_t hugepage_size;
        uint64_t chunk_size;
        bool exec;
        bool zero_verify; /* ranges are looked at, and punched, before they are handed out */
        bool huge_advise; /* there are huge pages under ranges of 2 MiB and more; see filemem_map()
                           */
        uint64_t entries; /* of the usage tree */
        uint64_t sessions;
        uint64_t metadata; /* bytes of daemon memory for tree and holdings */
        uint64_t id;       /* never used again by this daemon */
        enum filemem_pool_state state;
        bool private_pool;
        uint32_t uid;       /* of a private pool: who made it */
        uint64_t allocated; /* bytes that somebody holds */
        uint64_t committed; /* of these, stored by the kernel, as far as known */
        uint64_t leased;    /* of the allocated: being prepared, not handed out yet */
};

FILEMEM_API int filemem_pool_info_of_sized(
        filemem_session *session, const char *pool, struct filemem_pool *ret, size_t size);
FILEMEM_INLINE int filemem_pool_info_of(
        filemem_session *session, const char *pool, struct filemem_pool *ret)
{
        return filemem_pool_info_of_sized(session, pool, ret, sizeof(*ret));
}
FILEMEM_INLINE int filemem_pool_info(filemem_session *session, struct filemem_pool *ret)
{
        return filemem_pool_info_of(session, NULL, ret);
}

/*
 * The pools that this user may ask about, by ascending id, those above `after`. Writes at most
 * `count` (not 0), returns how many; 0 means that there are no more. Go on with the last one's id.
 */
FILEMEM_API int filemem_pools_sized(filemem_session *session, uint64_t after,
        struct filemem_pool *pools, size_t count, size_t size);
FILEMEM_INLINE int filemem_pools(
        filemem_session *session, uint64_t after, struct filemem_pool *pools, size_t count)
{
        return filemem_pools_sized(session, after, pools, count, sizeof(*pools));
}

struct filemem_status {
        char version[32];
        uint32_t pid;
        uint64_t uptime_ns;
        uint32_t pools;
        uint64_t sessions;
        uint64_t sessions_total;
        uint64_t requests;
        uint64_t operations;
        uint64_t refusals;
        uint64_t protocol_errors;
        char accounting[16]; /* how committed pages are counted: "cachestat" or "seek" */
        uint64_t scans;
        uint64_t reclaimed; /* bytes */
        uint64_t punches;
        uint64_t punch_failures;
        uint32_t max_message;
        uint32_t max_operations;
};

FILEMEM_API int filemem_status_sized(
        filemem_session *session, struct filemem_status *ret, size_t size);
FILEMEM_INLINE int filemem_status(filemem_session *session, struct filemem_status *ret)
{
        return filemem_status_sized(session, ret, sizeof(*ret));
}

/* How much of something there may be, and is. */
#define FILEMEM_UNLIMITED UINT64_MAX

struct filemem_limit_use {
        bool counted; /* or there is no such limit for these; what follows is 0 then */
        uint64_t used;
        uint64_t maximum; /* FILEMEM_UNLIMITED: no limit */
};

/* What each limit means says filememd.conf(5). Bytes, or a count. */
struct filemem_limit {
        char name[16]; /* bytes, committed, ranges, sessions, peers, replies, requests */
        struct filemem_limit_use session; /* this one */
        struct filemem_limit_use user;    /* all of its user */
        struct filemem_limit_use pool;    /* all in its pool, or in the one asked for */
        struct filemem_limit_use total;   /* all */
};

/* Fills at most `count` of them. Returns how many there are; a later daemon may have more. */
FILEMEM_API int filemem_limits_of_sized(filemem_session *session, const char *pool,
        struct filemem_limit *limits, size_t count, size_t size);
FILEMEM_INLINE int filemem_limits_of(
        filemem_session *session, const char *pool, struct filemem_limit *limits, size_t count)
{
        return filemem_limits_of_sized(session, pool, limits, count, sizeof(*limits));
}
FILEMEM_INLINE int filemem_limits(
        filemem_session *session, struct filemem_limit *limits, size_t count)
{
        return filemem_limits_of(session, NULL, limits, count);
}

struct filemem_session_info {
        uint64_t session;
        int32_t pid;
        uint32_t uid;
        uint32_t gid;
        char label[65];
        char pool[65];
        uint64_t age_ns;
        uint64_t held;     /* bytes */
        uint64_t holdings; /* ranges */
        uint64_t requests;
        bool read_only;
        uint64_t parent;  /* of a peer, whose process is not known: the session that opened it; or 0
                           */
        uint64_t idle_ns; /* since something came from it */
        uint64_t operations;
        uint64_t refusals;  /* of these */
        uint64_t allocated; /* bytes that it was given so far */
        uint64_t released;  /* bytes of references that it gave up */
        uint64_t queued;    /* bytes of replies that it has not taken */
        bool waiting;       /* a request of it is under way */
};

/*
 * Sessions with an identity above `after`, in order: all of them for an administrator, those in its
 * pools for an administrator of pools, and those of the same user; for a peer itself alone. Writes
 * at most `count` (not 0), returns how many; 0 means that there are no more. Go on with the last
 * one's identity.
 */
FILEMEM_API int filemem_sessions_sized(filemem_session *session, uint64_t after,
        struct filemem_session_info *infos, size_t count, size_t size);
FILEMEM_INLINE int filemem_sessions(
        filemem_session *session, uint64_t after, struct filemem_session_info *infos, size_t count)
{
        return filemem_sessions_sized(session, after, infos, count, sizeof(*infos));
}

/* A part of what a session holds, of one kind and with the same references. */
struct filemem_holding {
        struct filemem_range range;
        enum filemem_kind kind;
        uint32_t count;     /* references of the session; UINT32_MAX: being prepared for it */
        uint32_t refs;      /* of all sessions */
        uint64_t committed; /* bytes; the same for each that holds the range */
        bool estimated;
};

/*
 * What a session holds, from the offset `from` on: of this user, or of any for an administrator
 * (else -EPERM); -ENOENT if there is none of that identity. Writes at most `count` (not 0), returns
 * how many; 0 means that there are no more. Go on with the end of the last one. It may change in
 * between.
 */
FILEMEM_API int filemem_holdings_sized(filemem_session *session, uint64_t id, uint64_t from,
        struct filemem_holding *holdings, size_t count, size_t size);
FILEMEM_INLINE int filemem_holdings(filemem_session *session, uint64_t id, uint64_t from,
        struct filemem_holding *holdings, size_t count)
{
        return filemem_holdings_sized(session, id, from, holdings, count, sizeof(*holdings));
}

struct filemem_holder {
        uint64_t session;
        uint64_t held; /* bytes of the range that it holds */
        uint32_t most; /* the most references that it has on a page of it */
        bool more;     /* it has so many ranges there that the daemon did not look at all */
};

/*
 * Which sessions hold (part of) a range of a pool, NULL for the own one: those with an identity
 * above `after`, in order. Writes at most `count` (not 0), returns how many; 0 means that there are
 * no more. Go on with the last one's identity. *hidden (may be NULL) grows by how many there are
 * that this user may not see.
 */
FILEMEM_API int filemem_holders_sized(filemem_session *session, const char *pool,
        struct filemem_range range, uint64_t after, struct filemem_holder *holders, size_t count,
        uint64_t *hidden, size_t size);
FILEMEM_INLINE int filemem_holders(filemem_session *session, const char *pool,
        struct filemem_range range, uint64_t after, struct filemem_holder *holders, size_t count,
        uint64_t *hidden)
{
        return filemem_holders_sized(
                session, pool, range, after, holders, count, hidden, sizeof(*holders));
}

/* An operation of a session that is through. */
struct filemem_event {
        uint64_t age_ns;
        uint64_t session;
        char operation[24];         /* "allocate", "decref", ... as in the protocol */
        struct filemem_range range; /* start 0 for an allocation that was refused; or empty */
        enum filemem_kind kind;     /* of an allocation */
        int error;                  /* 0 or a negative errno */
};

struct filemem_trace_options {
        size_t size;      /* sizeof(struct filemem_trace_options) */
        const char *pool; /* of sessions in this pool; NULL: in any, or none */
        uint64_t session; /* of this one; 0: of any */
        uint32_t sample;  /* one of so many; 0: all */
};

/*
 * What sessions have done since the last call with the same options; the first one begins and
 * returns 0. Of all sessions for an administrator, for one of the pool that is named those that are
 * in it, else those of the same user; never this one's own. Writes at most `count` (not 0), returns
 * how many. The daemon keeps some thousand events; *ret_lost (may be NULL) is how many there was no
 * room for, so ask several times a second. It ends with the session, and begins anew when it was
 * not asked for 10 s. options may be NULL. -EDQUOT: there are too many who watch.
 */
FILEMEM_API int filemem_trace_sized(filemem_session *session,
        const struct filemem_trace_options *options, struct filemem_event *events, size_t count,
        uint64_t *ret_lost, size_t size);
FILEMEM_INLINE int filemem_trace(filemem_session *session,
        const struct filemem_trace_options *options, struct filemem_event *events, size_t count,
        uint64_t *ret_lost)
{
        return filemem_trace_sized(session, options, events, count, ret_lost, sizeof(*events));
}

struct filemem_entry {
        struct filemem_range range;
        enum filemem_kind kind;
        uint32_t refs;      /* 0: freed, not yet given back; UINT32_MAX: being prepared */
        uint64_t committed; /* bytes */
        bool estimated;
};

/*
 * The usage tree of the pool, page by page: the entries that end above `from`. Writes at most
 * `count` (not 0), returns how many; 0 means that there are no more. Go on with the end of the last
 * one. The tree may change in between.
 */
FILEMEM_API int filemem_dump_of_sized(filemem_session *session, const char *pool, uint64_t from,
        struct filemem_entry *entries, size_t count, size_t size);
FILEMEM_INLINE int filemem_dump_of(filemem_session *session, const char *pool, uint64_t from,
        struct filemem_entry *entries, size_t count)
{
        return filemem_dump_of_sized(session, pool, from, entries, count, sizeof(*entries));
}
FILEMEM_INLINE int filemem_dump(
        filemem_session *session, uint64_t from, struct filemem_entry *entries, size_t count)
{
        return filemem_dump_of(session, NULL, from, entries, count);
}

/* ---- administration -------------------------------------------------------------------------- */

/* For administrators, else -EPERM: root, the daemon's user, the group that is configured for it. */

/*
 * Ends a pool: nobody joins it any more, its sessions have their requests answered and are ended,
 * and its memory is given back. Returns when that has begun. Also for the pool's own
 * administrators.
 */
FILEMEM_API int filemem_destroy_pool(filemem_session *session, const char *pool);

/* Ends a session. Also one of the same user, and for administrators of its pool. */
FILEMEM_API int filemem_kick_session(filemem_session *session, uint64_t id);

/*
 * Has the daemon give back to the kernel all that is freed in a pool (NULL: the own one), and all
 * stray pages, and waits until that is done. *ret (may be NULL) is how many bytes it gave back
 * meanwhile. Also for the pool's own administrators, and in a private pool for its user. -EIO if
 * the kernel refused some of it: the daemon goes on trying.
 */
FILEMEM_API int filemem_trim(filemem_session *session, const char *pool, uint64_t *ret);

/* Has the daemon read its configuration again. -EINVAL if that has an error: nothing changed. */
FILEMEM_API int filemem_reload(filemem_session *session);

#ifdef __cplusplus
}
#endif

#endif
