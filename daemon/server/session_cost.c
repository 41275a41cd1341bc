// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/error.h"
#include "memory/pool.h"
#include "server/state.h"

/* Root and the user of the daemon may have so many more, to look what is wrong. */
#define OWNER_SESSIONS 8

static bool is_owner(const struct session *session)
{
        return !session->parent && (session->uid == 0 || session->uid == session->server->uid);
}

static bool may_exceed(const struct session *session)
{
        static const enum limits_scope scopes[] = {LIMITS_USER, LIMITS_TOTAL};

        for (int i = 0; i < 2; i++) {
                const struct limits_account *account = session->charge.accounts[scopes[i]];
                uint64_t maximum = account->set->maximum[LIMIT_SESSIONS];

                if (maximum != LIMIT_NONE &&
                        account->used[LIMIT_SESSIONS] >= maximum + OWNER_SESSIONS)
                        return false;
        }
        return is_owner(session);
}

/* The last descriptors are kept for other things, and for owners. */
static bool has_descriptors(const struct session *session)
{
        const struct server *server = session->server;

        return is_owner(session) || (server_has_descriptor(server, session->channel.fd) &&
                                            server_has_descriptor(server, session->process));
}

int session_charge(struct session *session, const struct limits_set *set)
{
        struct limits *limits = &session->server->limits;
        struct limits_account *user = limits_account_of_user(limits, session->uid);
        struct limits_account *own = limits_account_new(limits, LIMITS_SESSION, set);
        int r = OUTCOME_DAEMON_FULL;

        if (user && own && has_descriptors(session)) {
                charge_begin(&session->charge, own, user, NULL, limits->total);
                r = charge_take(&session->charge, LIMIT_SESSIONS, 1);
                if (r && may_exceed(session)) {
                        charge_set(&session->charge, LIMIT_SESSIONS, 1);
                        r = 0;
                }
        }
        limits_account_drop(own);
        limits_account_drop(user);
        return r;
}

/* ---- what it holds --------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
        return a + b < a ? UINT64_MAX : a + b;
}

void session_set_room(struct session *session)
{
        const struct charge *charge = &session->charge;
        uint64_t ranges = charge->amounts[LIMIT_RANGES];
        struct holder_limits limits;

        if (!session->holder || session->read_only)
                return;
        limits.bytes = add(charge->amounts[LIMIT_BYTES], charge_room(charge, LIMIT_BYTES));
        limits.ranges = add(ranges, charge_room(charge, LIMIT_RANGES));
        limits.cut_ranges = add(ranges, charge_overdraft(charge, LIMIT_RANGES));
        holder_set_limits(session->holder, &limits);
}

void session_settle(struct session *session)
{
        struct holder_information holder;

        if (!session->holder || session->read_only)
                return;
        holder_information(session->holder, &holder);
        charge_set(&session->charge, LIMIT_BYTES, holder.held);
        charge_set(&session->charge, LIMIT_RANGES, holder.holdings);
}
