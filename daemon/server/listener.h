// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <event2/event_struct.h>
#include <stdbool.h>

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
        struct closer *closer;            /* borrowed */
        const struct listener_user *user; /* borrowed */
        void *context;
};

struct listener_user {
        /* Gets each connection, non-blocking, and takes it over. */
        void (*accept)(void *context, int fd);
        /*
         * Whether the next turn may be long in coming: then more than one connection is taken. Else
         * one is, and whoever else waits is seen in the next turn, which costs less than to look
         * for more each time that there is none.
         */
        bool (*is_busy)(void *context);
};

/*
 * Takes over the listening socket, also when it fails. Returns 0 or a negative errno.
 */
int listener_init(struct listener *listener, struct event_base *base, int fd, struct closer *closer,
        const struct listener_user *user, void *context);

/* Stops listening. More than once is fine. */
void listener_deinit(struct listener *listener);
