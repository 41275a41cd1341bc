// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/fdset.h"

#include <stddef.h>
#include <sys/types.h>

/* One packet there, one packet back, on the session's socket. EINTR stays inside. */

/*
 * Sends a packet without waiting. Returns 0, -EAGAIN if there is no room now, -EPIPE if the daemon
 * is gone (what it said before can still be received), or another negative errno.
 */
int channel_send(int socket, const void *packet, size_t size);

/*
 * Receives a packet into `packet` of so many bytes. set: where descriptors go, or NULL
 * where none belong; it says whether all of them came. flags: 0 or MSG_DONTWAIT. Returns its size,
 * 0 at the end, -EAGAIN if there is nothing now, -EPROTO if the packet was too large or had
 * descriptors that do not belong, or another errno.
 */
ssize_t channel_receive(int socket, void *packet, size_t size, int flags, struct fdset *set);

/* Waits until there is something to receive (POLLIN) or room to send (POLLOUT). timeout: ms or -1.
 */
void channel_poll(int socket, short events, int timeout);
