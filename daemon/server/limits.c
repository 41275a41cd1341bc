// SPDX-License-Identifier: Apache-2.0
#include "server/limits.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* A user has no more sessions than this unless that is said. */
#define USER_SESSIONS_MAX 16384

/* With fewer descriptors than for so many sessions, one user may have them all. */
#define FEW_SESSIONS 256

#define NOTHING                                                                                    \
        {                                                                                          \
                [0 ... LIMIT_COUNT - 1] = LIMIT_NONE                                               \
        }

const struct limits_set limits_none = {.maximum = NOTHING};

const struct limits_options limits_defaults = {
        .sets =
                {
                        [LIMITS_SESSION] = {.maximum =
                                                    {
                                                            [LIMIT_BYTES] = LIMIT_NONE,
                                                            [LIMIT_COMMITTED] = LIMIT_NONE,
                                                            [LIMIT_RANGES] = 1u << 18,
                                                            [LIMIT_SESSIONS] = LIMIT_NONE,
                                                            [LIMIT_PEERS] = 1024,
                                                            [LIMIT_REPLIES] = 1u << 20,
                                                            [LIMIT_REQUESTS] = 1, /* the next is not
                                                                                     read before */
                                                    }},
                        [LIMITS_USER] = {.maximum =
                                                 {
                                                         [LIMIT_BYTES] = LIMIT_NONE,
                                                         [LIMIT_COMMITTED] = LIMIT_NONE,
                                                         [LIMIT_RANGES] = 1u << 20,
                                                         [LIMIT_SESSIONS] = LIMITS_CHOOSE,
                                                         [LIMIT_PEERS] = 4096,
                                                         [LIMIT_REPLIES] = 16u << 20,
                                                         [LIMIT_REQUESTS] = 64,
                                                 }},
                        [LIMITS_POOL] = {.maximum = NOTHING},
                        [LIMITS_TOTAL] = {.maximum =
                                                  {
                                                          [LIMIT_BYTES] = LIMIT_NONE,
                                                          [LIMIT_COMMITTED] = LIMIT_NONE,
                                                          [LIMIT_RANGES] = 1u << 22,
                                                          [LIMIT_SESSIONS] = LIMITS_CHOOSE,
                                                          [LIMIT_PEERS] =
                                                                  LIMIT_NONE, /* they are sessions
                                                                                 too */
                                                          [LIMIT_REPLIES] = 64u << 20,
                                                          [LIMIT_REQUESTS] = 256,
                                                  }},
                },
        .hello_timeout = 10 * NSEC_PER_SEC,
};

const char *limit_name(enum limit limit)
{
        static const char *const names[LIMIT_COUNT] = {
                "bytes", "committed", "ranges", "sessions", "peers", "replies", "requests"};

        return names[limit];
}

/* ---- all of them ----------------------------------------------------------------------------- */

int limits_init(struct limits *limits, const struct limits_options *options, uint64_t sessions,
        void (*wake)(struct limits_waiter *waiter))
{
        *limits = (struct limits){.sessions = sessions, .wake = wake};
        for (int i = 0; i < LIMITS_BUCKETS; i++)
                LIST_INIT(&limits->users[i]);
        limits_configure(limits, options);
        limits->total = limits_account_new(limits, LIMITS_TOTAL, NULL);
        return limits->total ? 0 : -ENOMEM;
}

void limits_deinit(struct limits *limits)
{
        limits->total = limits_account_drop(limits->total);
        check(limits->accounts == 0); /* no charge was forgotten */
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* Unless it is said: as many sessions as there are descriptors for, and some of them for others. */
static void choose_sessions(struct limits *limits)
{
        uint64_t *user = &limits->options.sets[LIMITS_USER].maximum[LIMIT_SESSIONS];
        uint64_t *total = &limits->options.sets[LIMITS_TOTAL].maximum[LIMIT_SESSIONS];

        if (*total == LIMITS_CHOOSE)
                *total = limits->sessions;
        if (*user == LIMITS_CHOOSE)
                *user = lesser(*total > FEW_SESSIONS ? *total / 2 : *total, USER_SESSIONS_MAX);
}

void limits_configure(struct limits *limits, const struct limits_options *options)
{
        limits->options = *options;
        choose_sessions(limits);
}

/* ---- accounts -------------------------------------------------------------------------------- */

struct limits_account *limits_account_new(
        struct limits *limits, enum limits_scope scope, const struct limits_set *set)
{
        struct limits_account *account = calloc(1, sizeof(*account));

        if (!account)
                return NULL;
        account->limits = limits;
        account->scope = scope;
        account->set = &limits->options.sets[scope];
        if (set)
                limits_account_set(account, set);
        account->references = 1;
        TAILQ_INIT(&account->waiters);
        limits->accounts++;
        return account;
}

void limits_account_set(struct limits_account *account, const struct limits_set *set)
{
        account->own = *set;
        account->set = &account->own;
}

struct limits_account *limits_account_of_user(struct limits *limits, uid_t uid)
{
        struct limits_account *account;

        LIST_FOREACH (account, &limits->users[uid % LIMITS_BUCKETS], link)
                if (account->uid == uid)
                        return limits_account_keep(account);
        account = limits_account_new(limits, LIMITS_USER, NULL);
        if (!account)
                return NULL;
        account->uid = uid;
        LIST_INSERT_HEAD(&limits->users[uid % LIMITS_BUCKETS], account, link);
        return account;
}

struct limits_account *limits_account_keep(struct limits_account *account)
{
        account->references++;
        return account;
}

struct limits_account *limits_account_drop(struct limits_account *account)
{
        if (!account || --account->references)
                return NULL;
        if (account->scope == LIMITS_POOL)
                limits_note_committed(account, 0);
        for (int limit = 0; limit < LIMIT_COUNT; limit++)
                check(!account->used[limit]);
        check(TAILQ_EMPTY(&account->waiters));
        if (account->scope == LIMITS_USER)
                LIST_REMOVE(account, link);
        account->limits->accounts--;
        free(account);
        return NULL;
}

void limits_note_committed(struct limits_account *pool, uint64_t bytes)
{
        uint64_t *total = &pool->limits->total->used[LIMIT_COMMITTED];

        *total = *total - pool->used[LIMIT_COMMITTED] + bytes;
        pool->used[LIMIT_COMMITTED] = bytes;
}
