// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Messages to the service manager that are sent or not, at once: sd_notify() waits for as long as
 * systemd does not read, and a daemon with thousands of descriptors in the store keeps it busy for
 * seconds. For what must not get lost, and is said once in a life, there is sd_notify(). Not thread
 * safe: for the main thread.
 */

/*
 * Sends a message, such as "WATCHDOG=1", with a descriptor that stays the caller's, or -1. Returns
 * 0; -EAGAIN if systemd has so much to read that it has to be tried again; another negative errno.
 */
int notify_send(const char *text, int fd);

/* Waits until systemd has read something, at most so long. */
void notify_wait(int milliseconds);

/* Closes what the first message has opened. */
void notify_close(void);
