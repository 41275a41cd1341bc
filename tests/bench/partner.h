// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/pinning.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Another process to talk to, over a SOCK_SEQPACKET socket: the floors of the service. It waits as
 * a daemon does, in epoll. Functions return 0 or a negative errno.
 */
struct partner {
        pid_t process;
        int socket;
};

/* Runs `run` with its end of the socket and `argument` in a new process, which ends after that. */
int partner_start(struct partner *partner, enum pinning pinning,
        void (*run)(int socket, void *argument), void *argument);

/* Fine also when it was not started, or has ended. */
void partner_end(struct partner *partner);

/* Sends one byte, an order, and waits until it is confirmed with another. */
int partner_tell(struct partner *partner, char order);

/* One that sends every packet back. */
int partner_start_echo(struct partner *partner, enum pinning pinning);

/*
 * There and back, so many times, with packets of `size` bytes and up to `in_flight` of them under
 * way. *ret: nanoseconds in all. times: NULL, or the time of each, see statistics_time(), for
 * packets one by one.
 */
int partner_ping(struct partner *partner, size_t size, unsigned in_flight, uint64_t rounds,
        uint32_t *times, uint64_t *ret);
