// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/pinning.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * The real daemon, for scenarios that go through the socket: in a temporary folder, with a socket
 * in it. It ends with this process, whatever ends that.
 */
struct service {
        pid_t pid;
        char folder[64];
        char socket[96];
};

/*
 * Starts it, and waits until it listens. config: the text of its configuration, or NULL for none.
 * Returns 0 or a negative errno; after an error there is nothing to stop.
 */
int service_start(struct service *service, const char *config);

/* The same with the daemon where the side that answers is; this thread is pinned as before then. */
int service_start_pinned(struct service *service, enum pinning pinning, const char *config);

/* The line of that name of its /proc/PID/status, such as "VmRSS", in bytes; 0 if it cannot be read.
 */
uint64_t service_memory(const struct service *service, const char *name);

/* Ends it and removes the folder. */
void service_stop(struct service *service);
