// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"

/*
 * Who waits and who receives; see call.h. The caller holds the session's lock, which is let go
 * while it waits.
 */

/*
 * Waits until the exchange has what it wants (with `until`), or the session has failed. Returns 0,
 * or -ETIMEDOUT.
 */
int wait_for(filemem_session *session, struct exchange *exchange, enum want want, uint64_t until,
        uint64_t deadline);

/* Receives what is there, up to so many messages, unless another thread receives. */
void wait_drain(filemem_session *session, struct exchange *exchange, unsigned max);

/* Tells those who have what they want, and it is no reply. */
void wait_wake(filemem_session *session);

/* Sends what is unsent, as far as there is room. Returns 0, -EAGAIN or -EPIPE. */
int wait_send(filemem_session *session);
