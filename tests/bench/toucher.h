// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"

#include <sys/types.h>

/*
 * Another process that writes to the pages of a file through a mapping of its own, as clients do,
 * and keeps the mapping until it is ended. Functions return 0 or a negative errno.
 */
struct toucher {
        pid_t process;
        int socket;
};

/* fd: the file; the other process has it from then on. */
int toucher_start(struct toucher *toucher, int fd);

/* Writes one byte to each `stride`-th page of the range. It is done when this returns. */
int toucher_touch(struct toucher *toucher, struct range range, unsigned stride);

/* Fine also when it was not started, or has ended. */
void toucher_end(struct toucher *toucher);
