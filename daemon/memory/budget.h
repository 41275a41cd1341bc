// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/*
 * How much memory the daemon may commit on behalf of clients. Beyond a limit the kernel does not
 * refuse memory but kills for it: the daemon, where a cgroup that it is in is at its limit, or
 * anybody where the host is out of memory. So the daemon stops before: it leaves a 32nd of what
 * there is, and 16 MiB at least, of the host and of each cgroup above it.
 *
 * Counted is what could be had without swapping: free memory and the page cache of files.
 */

/*
 * Bytes until the first of them is down to that. Reads /proc/meminfo (or what /sys has of it, where
 * that is hidden) and the limits of the daemon's cgroups, of version 1 or 2; cgroups that cannot be
 * seen are no limit. Takes some 100 us. Returns 0 or a negative errno.
 */
int budget_available(uint64_t *ret);

/* The same, with other folders in place of /proc and /sys: for tests. */
int budget_read(const char *proc, const char *sys, uint64_t *ret);
