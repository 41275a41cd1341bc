// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <event2/event.h>

/*
 * Ends connections that are older than a minute: libevent's time limits are from one byte to the
 * next, and who sends one now and then would keep his connection, and with enough of them everybody
 * else out. Prometheus and browsers connect again.
 */
struct guard;

/* Returns 0 or -ENOMEM. */
int guard_new(struct event_base *base, struct guard **ret);
void guard_free(struct guard *guard);
