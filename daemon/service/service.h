// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The service manager. These functions do nothing, and say so, where systemd did not start us. Not
 * thread safe: call them from the main thread.
 */

/* Whether systemd waits to be notified, or has handed us sockets. */
bool service_is_used(void);

/* The time in ns in which systemd wants to hear from us, again and again; 0: it does not. */
uint64_t service_watchdog(void);

/* READY=1: we serve. `status` is what `systemctl status` shows. */
void service_notify_ready(const char *status);

/* WATCHDOG=1: we are alive. Returns false if systemd has too much to read to be told just now. */
bool service_notify_watchdog(void);

/* STATUS=, again; if systemd can be told just now. */
void service_notify_status(const char *status);

/* RELOADING=1: we read the configuration again; and READY=1 when that is over, however. */
void service_notify_reloading(void);
void service_notify_reloaded(void);

/* STOPPING=1. */
void service_notify_stopping(void);
