// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct session;

/*
 * Answers Hello with Welcome, which carries the memfd of the pool. Returns 0, OUTCOME_VERSION,
 * OUTCOME_LABEL_BAD, OUTCOME_POOL_UNKNOWN, OUTCOME_DAEMON_FULL or a negative errno; all but 0 end
 * the session, and -EAGAIN: it has to be answered later.
 */
int greeting_answer(struct session *session, const Filemem__Hello *hello);

/* Welcome once more. Returns 0 or a negative errno. */
int greeting_repeat(struct session *session);
