// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/wire.h"
#include "server/turns.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/*
 * How much of the daemon somebody may take.
 *
 *   limit    what is counted: enum limit
 *   account  who it is counted for: a session, a user, a pool, or all together. It has a maximum
 *            and a use for each limit
 *   charge   what one session takes of its accounts. It knows them, and repays all when it ends:
 *            so no account can be left with what nobody uses any more. Accounts live as long as
 *            something is charged to them
 *
 * It knows neither sessions nor pools. All of it belongs to the thread that runs the loop.
 */
enum limit {
        LIMIT_BYTES,     /* of ranges held: what two sessions hold counts for both */
        LIMIT_COMMITTED, /* bytes that the kernel stores for a pool: what is known, never charged */
        LIMIT_RANGES,    /* entries of holdings */
        LIMIT_SESSIONS,  /* connections, also those that have not said Hello yet */
        LIMIT_PEERS,     /* sessions opened for others */
        LIMIT_REPLIES,   /* bytes of messages that a client does not read */
        LIMIT_REQUESTS,  /* that wait for another thread, or for their turn */
        LIMIT_COUNT,
};

#define LIMIT_NONE UINT64_MAX

enum limits_scope {
        LIMITS_SESSION,
        LIMITS_USER,
        LIMITS_POOL,
        LIMITS_TOTAL,
        LIMITS_SCOPES,
};

/* The most of each: LIMIT_NONE where there is no limit. */
struct limits_set {
        uint64_t maximum[LIMIT_COUNT];
};

/* No limit at all. */
extern const struct limits_set limits_none;

/* What holds for each session, each user, and all together. */
struct limits_options {
        struct limits_set sets[LIMITS_SCOPES]; /* not LIMITS_POOL: each pool has its own */
        uint64_t hello_timeout;                /* ns from connect to Hello */
};

/*
 * The defaults: see filememd.conf(5). Sessions of a user and in total are LIMITS_CHOOSE: what the
 * descriptors of the daemon allow.
 */
#define LIMITS_CHOOSE 0
extern const struct limits_options limits_defaults;

/* "bytes", "committed", ... */
const char *limit_name(enum limit limit);

struct limits_waiter;
TAILQ_HEAD(limits_waiters, limits_waiter);

struct limits_account {
        struct limits *limits;
        enum limits_scope scope;
        const struct limits_set *set; /* what holds for all of the scope, or its own */
        struct limits_set own;
        uint64_t used[LIMIT_COUNT];
        uint64_t references;
        struct limits_waiters waiters;   /* for LIMIT_REQUESTS */
        struct turns_share share;        /* of a user */
        LIST_ENTRY(limits_account) link; /* of a user: in its bucket */
        uid_t uid;
};

#define LIMITS_BUCKETS 256

struct limits {
        struct limits_options options;
        struct limits_account *total;
        LIST_HEAD(, limits_account) users[LIMITS_BUCKETS];
        uint64_t accounts; /* that there are */
        uint64_t sessions; /* that there are descriptors for */
        void (*wake)(struct limits_waiter *waiter);
};

/*
 * sessions: how many the descriptors are enough for. wake: called for whoever waited and may go on.
 * Returns 0 or -ENOMEM.
 */
int limits_init(struct limits *limits, const struct limits_options *options, uint64_t sessions,
        void (*wake)(struct limits_waiter *waiter));

/* Everything has to be repaid. */
void limits_deinit(struct limits *limits);

/* From now on. What is used already beyond a lower limit stays. */
void limits_configure(struct limits *limits, const struct limits_options *options);

/* ---- accounts: each reference is dropped with limits_account_drop() ---------------------------
 */

/* That of a session or a pool. set: its own limits, copied; NULL: those of all of that scope. NULL
 * when out of memory. */
struct limits_account *limits_account_new(
        struct limits *limits, enum limits_scope scope, const struct limits_set *set);

/* Changes its own limits. */
void limits_account_set(struct limits_account *account, const struct limits_set *set);

/* That of a user, which all its sessions share. NULL when out of memory. */
struct limits_account *limits_account_of_user(struct limits *limits, uid_t uid);

/* One reference more; returns it. */
struct limits_account *limits_account_keep(struct limits_account *account);

/* Frees it with the last one: nothing may be used then. NULL is fine; returns NULL. */
struct limits_account *limits_account_drop(struct limits_account *account);

static inline uint64_t limits_room(const struct limits_account *account, enum limit limit)
{
        uint64_t maximum = account->set->maximum[limit], used = account->used[limit];

        return maximum > used ? maximum - used : 0;
}

/* What the kernel stores for a pool, as far as known: of the pool, and in the total. */
void limits_note_committed(struct limits_account *pool, uint64_t bytes);

/* ---- charges --------------------------------------------------------------------------------- */

struct charge {
        struct limits_account *accounts[LIMITS_SCOPES]; /* NULL: none of that scope */
        uint64_t amounts[LIMIT_COUNT];
};

/* Nothing yet. Keeps the accounts. */
void charge_begin(struct charge *charge, struct limits_account *session,
        struct limits_account *user, struct limits_account *pool, struct limits_account *total);

/* Gives back all, and the accounts. Once more is fine. */
void charge_repay(struct charge *charge);

/* From now on it is charged to this pool too. Returns 0, or OUTCOME_LIMIT_* if that has no room. */
int charge_join(struct charge *charge, struct limits_account *pool);

/* Takes so much more, if every account has room. Returns 0 or OUTCOME_LIMIT_*. */
int charge_take(struct charge *charge, enum limit limit, uint64_t more);

/* Sets it to what it turned out to be, with no questions asked. */
void charge_set(struct charge *charge, enum limit limit, uint64_t amount);

/* How much more there may be: the least room of all accounts. */
uint64_t charge_room(const struct charge *charge, enum limit limit);

/* The same if every limit were twice as high: for what is to be given up one day. */
uint64_t charge_overdraft(const struct charge *charge, enum limit limit);

/* The sentence of a result: for OUTCOME_LIMIT_* it says whose limit it is and how much, in
 * `buffer`, else it is error_text(). charge: NULL is fine. */
const char *charge_text(const struct charge *charge, int result, char buffer[WIRE_TEXT_MAX + 1]);

/* ---- waiting for LIMIT_REQUESTS -------------------------------------------------------------- */

struct limits_waiter {
        TAILQ_ENTRY(limits_waiter) link;
        struct limits_account *account; /* that it waits for; NULL: it does not wait */
};

/* Waits if there is no room for one more request. Returns whether it does. */
bool charge_wait(struct charge *charge, struct limits_waiter *waiter);

/* Waits no more. */
void limits_stop_waiting(struct limits_waiter *waiter);

/*
 * Wakes as many of those who wait for these accounts as there is room for. To be called whenever
 * there may be more room, and when somebody who was woken made no use of it.
 */
void charge_wake(struct charge *charge);
