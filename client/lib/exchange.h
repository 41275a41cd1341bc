// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "proto/fdset.h"

/* Exchanges: where they come from and what becomes of what is received. For call.c and wait.c. */

/*
 * Takes the session's lock, and an exchange: an idle one, or a new one. NULL if there is no memory,
 * without the lock.
 */
struct exchange *exchange_enter(filemem_session *session);

/* Puts the exchange back and lets go of the lock. */
void exchange_leave(filemem_session *session, struct exchange *exchange);

/* The caller holds the lock. Puts the exchange back. */
void exchange_put(filemem_session *session, struct exchange *exchange);

/* Closes a descriptor that came and was not taken. No lock held. */
void exchange_drop_fd(struct exchange *exchange);

/* The caller holds the lock. Its request has left the log: if nobody has it, it is put. */
void exchange_retire(filemem_session *session, struct exchange *exchange);

/* Zeroed memory for an exchange and its message; NULL if there is none. */
void *exchange_map(size_t size);
void exchange_init_message(struct message *message);

/* Adds a release to what is encoded in a buffer up to `end`, which has room. Returns its end. */
size_t exchange_encode_release(
        uint8_t *buffer, size_t size, size_t end, struct filemem_range range);

/*
 * The caller holds the lock. The thread of the exchange waits no longer, but a reply may still
 * come: then what was done is undone, as far as there is something to be given back, and the
 * exchange is put.
 */
void exchange_abandon(filemem_session *session, struct exchange *exchange);

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

/*
 * The caller holds the lock. The first request that is unsent cannot be sent: it ends with that
 * error, the others can go on.
 */
void exchange_fail_unsent(filemem_session *session, int error);
