// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* The kernel passes no more than this with one message (SCM_MAX_FD). */
#define FDSET_MAX 253

/* Room for the control data of a message: align it as a cmsghdr. */
#define FDSET_CONTROL_SIZE CMSG_SPACE(sizeof(int) * FDSET_MAX)

/* File descriptors that travel with one message. It owns those that it holds. */
struct fdset {
        size_t count;
        bool truncated; /* some did not arrive: this process has no numbers for them */
        int fds[FDSET_MAX];
};

/*
 * Takes over all descriptors that came with a received message; those it cannot hold are closed.
 * The set need not be initialised; what it held before is forgotten.
 */
void fdset_consume(struct fdset *set, const struct msghdr *message);

/*
 * Writes descriptors, borrowed, into message->msg_control, which must have room for `count`, and
 * sets msg_controllen.
 */
void fdset_attach(struct msghdr *message, const int *fds, size_t count);

/* Hands over the descriptor at `index`, or -1 if there is none there. */
int fdset_steal(struct fdset *set, size_t index);

/* Closes what is left. */
void fdset_close(struct fdset *set);
