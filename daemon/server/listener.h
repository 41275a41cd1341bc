// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <event2/event_struct.h>

/*
 * Takes connections from a listening socket and hands them over, a bounded number in each turn of
 * the loop. Where file descriptors run out it gives up one that it keeps for that: the client gets
 * a Goodbye instead of waiting for ever, and the loop does not spin on a socket that stays
 * readable.
 */
struct closer;

struct listener {
        struct event readable;
        struct event pause;
        int fd;
        int reserve;
        struct closer *closer; /* borrowed */
        void (*accept)(void *context, int fd);
        void *context;
};

/*
 * Takes over the listening socket, also when it fails. accept() gets each connection, non-blocking,
 * and takes it over. Returns 0 or a negative errno.
 */
int listener_init(struct listener *listener, struct event_base *base, int fd, struct closer *closer,
        void (*accept)(void *context, int fd), void *context);

/* Stops listening. More than once is fine. */
void listener_deinit(struct listener *listener);
