// SPDX-License-Identifier: Apache-2.0
#pragma once

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

/* Ends it and removes the folder. */
void service_stop(struct service *service);
