// SPDX-License-Identifier: Apache-2.0
#include "server/committed.h"

#include "base/clock.h"
#include "base/error.h"
#include "server/pools.h"
#include "server/session.h"
#include "server/state.h"

/* How old what is known of other pools may be. */
#define COMMITTED_AGE_MAX (100 * NSEC_PER_MSEC)

void committed_note(struct served *served)
{
        uint64_t bytes;

        if (pool_stored(served->pool, &bytes) == 0)
                limits_note_committed(served->account, bytes);
}

void committed_note_all(struct server *server)
{
        uint64_t now = clock_now();
        struct served *served;

        if (server->committed_at && now - server->committed_at < COMMITTED_AGE_MAX)
                return;
        server->committed_at = now;
        TAILQ_FOREACH (served, &server->pools.list, link)
                committed_note(served);
}

static bool is_limited(const struct limits_account *account)
{
        return account->set->maximum[LIMIT_COMMITTED] != LIMIT_NONE;
}

int committed_check(const struct session *session)
{
        struct limits_account *pool = session->served->account;
        struct limits_account *total = session->server->limits.total;

        if (!is_limited(pool) && !is_limited(total))
                return 0;
        if (is_limited(total))
                committed_note_all(session->server);
        committed_note(session->served);
        return limits_room(pool, LIMIT_COMMITTED) && limits_room(total, LIMIT_COMMITTED)
                       ? 0
                       : OUTCOME_LIMIT_COMMITTED;
}
