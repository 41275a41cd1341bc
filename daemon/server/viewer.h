// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/access.h"

#include <stdbool.h>

struct session;

/* Who asks about sessions, and which of them it may see. Valid as identity_ask() is. */
struct viewer {
        const struct session *session;
        struct identity identity;
        bool is_admin; /* of the daemon */
};

void viewer_init(struct viewer *viewer, const struct session *session);

/*
 * Itself; and unless it is a peer those of its user, those in pools that it administers, and all if
 * it administers the daemon.
 */
bool viewer_may_see(const struct viewer *viewer, const struct session *session);

/* And it is one that is shown: greeted, or a peer, and not ended. */
bool viewer_is_shown(const struct viewer *viewer, const struct session *session);

/*
 * The session of that identity, if it is shown. Returns 0, OUTCOME_SESSION_UNKNOWN or
 * OUTCOME_SESSION_DENIED.
 */
int viewer_find(const struct viewer *viewer, uint64_t id, struct session **ret);
