// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The descriptor store of the service manager: what is put there comes back when the daemon is
 * started again, however it ended. It keeps sockets until the other end hangs up, and everything
 * else until it is removed. Names are what is found again, so each is used once; they have to fit
 * into one variable of the environment together.
 *
 * A message to systemd is sent or not, at once: nobody waits for systemd here. Not thread safe: for
 * the main thread.
 */

/* Of a name, with its zero: a letter and a number to the base of 36. */
#define SERVICE_NAME_MAX 16

/* How many descriptors there may be, as $FDSTORE says; 0: there is no store. */
uint64_t service_store_maximum(void);

/*
 * Both return 0; -EAGAIN if systemd has so much to read that it has to be tried again; or another
 * negative errno. The descriptor stays the caller's. Beyond the maximum it is silently dropped by
 * systemd: so whoever puts counts.
 */
int service_store_put(const char *name, int fd);
int service_store_remove(const char *name);

/* Waits until systemd has read something, at most so long. */
void service_store_wait(int milliseconds);

/* What was kept, and is the caller's now. */
struct service_kept {
        char name[SERVICE_NAME_MAX];
        int fd;
};

/*
 * All that systemd hands over at the start: the listening socket, -1 if there is none, and what was
 * kept, to be freed. Returns 0; -E2BIG if there is more than one socket; -EPROTOTYPE if it is no
 * listening SOCK_SEQPACKET socket; another negative errno. Asks once: the environment says nothing
 * afterwards.
 */
int service_take_all(int *ret_listen_fd, struct service_kept **ret, size_t *ret_count);
