// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/session.h"

/*
 * What a session is made of, for session_adopt(). Linux 6.5 has SO_PEERPIDFD; the headers of older
 * systems do not.
 */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* With a channel on the descriptor, and nothing else. NULL when out of memory. */
struct session *session_make(struct server *server, int fd);

/* The loop looks at it. Returns 0 or OUTCOME_DAEMON_FULL. */
int session_watch(struct session *session);

/* What the loop looks for is what the session can do now. Returns 0 or -ENOMEM. */
int session_choose_events(struct session *session);

/* One that is in no list: what it holds is released, and what it costs repaid; then it is freed. */
void session_leave(struct session *session);
