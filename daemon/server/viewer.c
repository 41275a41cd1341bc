// SPDX-License-Identifier: Apache-2.0
#include "server/viewer.h"

#include "base/error.h"
#include "server/identity.h"
#include "server/session.h"
#include "server/state.h"

void viewer_init(struct viewer *viewer, const struct session *session)
{
        viewer->session = session;
        identity_ask(session, &viewer->identity);
        viewer->is_admin = pools_is_admin(&session->server->pools, &viewer->identity);
}

bool viewer_may_see(const struct viewer *viewer, const struct session *session)
{
        if (session == viewer->session)
                return true;
        if (viewer->session->parent)
                return false;
        return viewer->is_admin || identity_is_same(viewer->session->uid, session->uid) ||
               (session->served && served_is_admin(session->served, &viewer->identity));
}

/* A peer counts from its beginning: it keeps its pool. */
static bool is_there(const struct session *session)
{
        return (session->greeted || session->holder) && !session->ended;
}

bool viewer_is_shown(const struct viewer *viewer, const struct session *session)
{
        return is_there(session) && viewer_may_see(viewer, session);
}

int viewer_find(const struct viewer *viewer, uint64_t id, struct session **ret)
{
        struct session *session =
                id ? server_find_session_after(viewer->session->server, id - 1) : NULL;

        if (!session || session->id != id || !is_there(session))
                return OUTCOME_SESSION_UNKNOWN;
        /* Who asks about one asks about the next too, or for its next page: begin before it. */
        viewer->session->server->listed = TAILQ_PREV(session, session_list, link);
        if (!viewer_may_see(viewer, session))
                return OUTCOME_SESSION_DENIED;
        *ret = session;
        return 0;
}
