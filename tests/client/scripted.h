// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "peer.h"

/* A session, and a peer that greets, does a script and hangs up: one of each for a test. */
extern struct peer peer;
extern filemem_session *session;

/* What fails makes the test fail. argument: the peer's, for the script. */
void scripted_begin(void (*script)(struct peer *peer), const void *argument);

void scripted_end(void);
