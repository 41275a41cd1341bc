// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/raw.h"

#include <stdint.h>
#include <sys/types.h>

/* What tests of many sessions measure: the daemon's memory, and how long another client waits. */

/* What the daemon may take for an idle session, in bytes. */
#define SESSION_BYTES_MAX 4096

/* A number of bytes from /proc/PID/status, such as "VmRSS". */
uint64_t rounds_read_status(pid_t pid, const char *field);

/* A connection, and no more: struct raw has room for messages, which is too much for thousands. */
int rounds_connect(const char *path);

/* The middle of 301 rounds of allocate and decref, in ns. ret_worst: the longest one; or NULL. */
uint64_t rounds_measure(struct raw *raw, uint64_t *ret_worst);
