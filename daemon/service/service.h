// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * The service manager. These functions do nothing, and say so, where systemd did not start us. Not
 * thread safe: call them from the main thread.
 */

/* Whether systemd waits to be notified, or has handed us sockets. */
bool service_is_used(void);

/*
 * The listening socket that systemd hands us, to be taken over. Returns 0 and *ret_fd, which is -1
 * if there is none; -E2BIG if there is more than one; -EPROTOTYPE if it is no listening
 * SOCK_SEQPACKET socket; another negative errno. Asks once: the environment says nothing
 * afterwards.
 */
int service_take_socket(int *ret_fd);

/* READY=1, and what `systemctl status` shows. */
void service_notify_ready(const char *status);

/* STOPPING=1. */
void service_notify_stopping(void);
