// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "proto/fdset.h"

/* Exchanges: where they come from and what becomes of what is received. For call.c. */

/* An idle exchange, or a new one; NULL if there is no memory. No lock held. */
struct exchange *exchange_get(filemem_session *session);
void exchange_put(filemem_session *session, struct exchange *exchange);

/*
 * Decodes what is in the message's packet. fds: what came with it, of which the message takes the
 * descriptor that belongs to it; the rest stays. Returns 0 or -EPROTO.
 */
int exchange_decode(struct message *message, struct fdset *fds);

/*
 * The caller holds the session's lock. Gives a decoded message, which is mine->message, to whom it
 * concerns; that may replace mine->message.
 */
void exchange_dispatch(filemem_session *session, struct exchange *mine);

/* The caller holds the lock. Ends every pending exchange with `error`, and the session for ever. */
void exchange_fail_all(filemem_session *session, int error, int later, const char *text);
