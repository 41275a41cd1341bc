// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct session;

/*
 * Answers Hello with Welcome, which carries the memfd of the pool. Returns 0, OUTCOME_VERSION,
 * OUTCOME_LABEL_BAD, OUTCOME_POOL_UNKNOWN, OUTCOME_DAEMON_FULL or a negative errno; all but 0 end
 * the session.
 */
int greeting_answer(struct session *session, const Filemem__Hello *hello);
