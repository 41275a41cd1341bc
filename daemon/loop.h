// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/server.h"

#include <event2/event.h>

/*
 * Runs the event loop until somebody breaks it. Where that pays it polls for a moment before it
 * sleeps, see proto/busy_poll.h.
 *
 * busy_poll: how long that is, ns; 0: never. It may be changed meanwhile, in the loop.
 */
void loop_run(struct event_base *base, struct server *server, const uint64_t *busy_poll);
