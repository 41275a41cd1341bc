// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/session.h"

/*
 * What the files of a session share:
 *
 *      session.c           how one begins, and what all of them need
 *      session_peer.c      how one is opened by another one
 *      session_adopt.c     how one goes on that was kept
 *      session_turns.c     what the loop sees of it, and when it is read from
 *      session_receive.c   what a message is, and who is asked
 *      session_cost.c      what it is charged, and may have
 *      session_end.c       how one ends
 */

/* Linux 6.5 has it; the headers of older systems do not. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* With a channel on the descriptor, and nothing else. NULL when out of memory. */
struct session *session_make(struct server *server, int fd);

/* It is complete: gets its identity, and is one of the server's. */
void session_enlist(struct session *session);

/* It is in that pool, with a holder. Takes over one user of the pool, also when it fails. Returns 0
 * or -ENOMEM. */
int session_enter(struct session *session, struct served *served);

/* Charges a session to its user. set: its own limits, or NULL. Returns 0, OUTCOME_LIMIT_SESSIONS or
 * OUTCOME_DAEMON_FULL. */
int session_charge(struct session *session, const struct limits_set *set);

/*
 * One message, and how many operations were in it. Returns 0, an outcome or a negative errno as
 * channel_receive(): all but 0 and -EAGAIN end the session.
 */
int session_receive(struct session *session, size_t *ret_operations);

/* The loop looks at it. Returns 0 or OUTCOME_DAEMON_FULL. */
int session_watch(struct session *session);

/* What the loop looks for is what the session can do now. Returns 0 or -ENOMEM. */
int session_choose_events(struct session *session);

/* One that is in no list: what it holds is released, and what it costs repaid; then it is freed. */
void session_leave(struct session *session);
