// SPDX-License-Identifier: Apache-2.0
#include "server/limits.h"

#include "base/check.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

_Static_assert(OUTCOME_LIMIT_BYTES + LIMIT_REQUESTS == OUTCOME_LIMIT_REQUESTS &&
                       OUTCOME_LIMIT_BYTES + LIMIT_RANGES == OUTCOME_LIMIT_RANGES &&
                       OUTCOME_LIMIT_BYTES + LIMIT_SESSIONS == OUTCOME_LIMIT_SESSIONS,
        "the outcomes are in the order of the limits");

static int outcome_of(enum limit limit)
{
        return OUTCOME_LIMIT_BYTES + (int)limit;
}

void charge_begin(struct charge *charge, struct limits_account *session,
        struct limits_account *user, struct limits_account *pool, struct limits_account *total)
{
        struct limits_account *const accounts[LIMITS_SCOPES] = {session, user, pool, total};

        *charge = (struct charge){0};
        for (int scope = 0; scope < LIMITS_SCOPES; scope++)
                if (accounts[scope])
                        charge->accounts[scope] = limits_account_keep(accounts[scope]);
}

void charge_repay(struct charge *charge)
{
        for (int limit = 0; limit < LIMIT_COUNT; limit++)
                charge_set(charge, (enum limit)limit, 0);
        for (int scope = 0; scope < LIMITS_SCOPES; scope++)
                charge->accounts[scope] = limits_account_drop(charge->accounts[scope]);
}

int charge_join(struct charge *charge, struct limits_account *pool)
{
        check(!charge->accounts[LIMITS_POOL]);
        for (int limit = 0; limit < LIMIT_COUNT; limit++)
                if (charge->amounts[limit] > limits_room(pool, (enum limit)limit))
                        return outcome_of((enum limit)limit);
        charge->accounts[LIMITS_POOL] = limits_account_keep(pool);
        for (int limit = 0; limit < LIMIT_COUNT; limit++)
                pool->used[limit] += charge->amounts[limit];
        return 0;
}

uint64_t charge_room(const struct charge *charge, enum limit limit)
{
        uint64_t room = LIMIT_NONE;

        for (int scope = 0; scope < LIMITS_SCOPES; scope++)
                if (charge->accounts[scope] && limits_room(charge->accounts[scope], limit) < room)
                        room = limits_room(charge->accounts[scope], limit);
        return room;
}

uint64_t charge_overdraft(const struct charge *charge, enum limit limit)
{
        uint64_t room = LIMIT_NONE;

        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                const struct limits_account *account = charge->accounts[scope];
                uint64_t maximum = account ? account->set->maximum[limit] : LIMIT_NONE;

                if (maximum > LIMIT_NONE / 2)
                        continue;
                maximum *= 2;
                maximum -= account->used[limit] < maximum ? account->used[limit] : maximum;
                room = maximum < room ? maximum : room;
        }
        return room;
}

int charge_take(struct charge *charge, enum limit limit, uint64_t more)
{
        if (more > charge_room(charge, limit))
                return outcome_of(limit);
        charge_set(charge, limit, charge->amounts[limit] + more);
        return 0;
}

void charge_set(struct charge *charge, enum limit limit, uint64_t amount)
{
        uint64_t before = charge->amounts[limit];

        if (amount == before)
                return;
        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                struct limits_account *account = charge->accounts[scope];

                if (!account)
                        continue;
                check(account->used[limit] >= before);
                account->used[limit] = account->used[limit] - before + amount;
        }
        charge->amounts[limit] = amount;
}

/* ---- sentences ------------------------------------------------------------------------------- */

/* The account that stands in the way, or comes next to it; NULL if there is none. */
static const struct limits_account *find_tightest(const struct charge *charge, enum limit limit)
{
        const struct limits_account *tightest = NULL;

        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                const struct limits_account *account = charge->accounts[scope];

                if (account && account->set->maximum[limit] != LIMIT_NONE &&
                        (!tightest || limits_room(account, limit) < limits_room(tightest, limit)))
                        tightest = account;
        }
        return tightest;
}

/* In the largest unit that it is a multiple of. */
static void write_amount(enum limit limit, uint64_t amount, char buffer[static 32])
{
        static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        unsigned unit = 0;

        if (limit != LIMIT_BYTES && limit != LIMIT_COMMITTED && limit != LIMIT_REPLIES) {
                snprintf(buffer, 32, "%" PRIu64, amount);
                return;
        }
        while (amount && amount % 1024 == 0) {
                amount /= 1024;
                unit++;
        }
        snprintf(buffer, 32, "%" PRIu64 " %s", amount, units[unit]);
}

const char *charge_text(const struct charge *charge, int result, char buffer[WIRE_TEXT_MAX + 1])
{
        static const char *const whats[LIMIT_COUNT] = {"bytes", "committed bytes", "ranges",
                "sessions", "peers", "bytes of unread replies", "requests under way"};
        static const char *const whose[LIMITS_SCOPES] = {
                "per session", "per user", "of the pool", "in total"};
        const struct limits_account *account;
        enum limit limit;
        char amount[32];

        if (!charge || result < OUTCOME_LIMIT_BYTES || result > OUTCOME_LIMIT_REQUESTS)
                return error_text(result);
        limit = (enum limit)(result - OUTCOME_LIMIT_BYTES);
        account = find_tightest(charge, limit);
        if (!account)
                return error_text(result);
        write_amount(limit, account->set->maximum[limit], amount);
        snprintf(buffer, WIRE_TEXT_MAX + 1, "limit of %s %s (%s) reached", whats[limit],
                whose[account->scope], amount);
        return buffer;
}

/* ---- waiting --------------------------------------------------------------------------------- */

bool charge_wait(struct charge *charge, struct limits_waiter *waiter)
{
        check(!waiter->account);
        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                struct limits_account *account = charge->accounts[scope];

                if (!account || limits_room(account, LIMIT_REQUESTS))
                        continue;
                waiter->account = limits_account_keep(account);
                TAILQ_INSERT_TAIL(&account->waiters, waiter, link);
                return true;
        }
        return false;
}

void limits_stop_waiting(struct limits_waiter *waiter)
{
        struct limits_account *account = waiter->account;

        if (!account)
                return;
        TAILQ_REMOVE(&account->waiters, waiter, link);
        waiter->account = NULL;
        limits_account_drop(account);
}

void charge_wake(struct charge *charge)
{
        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                struct limits_account *account = charge->accounts[scope];
                uint64_t room = account ? limits_room(account, LIMIT_REQUESTS) : 0;

                while (room-- && !TAILQ_EMPTY(&account->waiters)) {
                        struct limits_waiter *waiter = TAILQ_FIRST(&account->waiters);

                        limits_stop_waiting(waiter);
                        account->limits->wake(waiter);
                }
        }
}
