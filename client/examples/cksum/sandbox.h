// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cksum/plumbing.h"

#include <filemem/filemem.h>
#include <stdbool.h>

/*
 * Workers in sandboxes: they get descriptors and nothing else, a session among them. No socket to
 * connect to, no file system and no name is needed in there.
 */

/*
 * In a forked child: becomes `command` with arguments for a worker behind it, run by /bin/sh. peer:
 * the socket of the worker's session. Returns only if that fails, with the exit code.
 */
int sandbox_exec(const char *command, int peer, const struct plumbing *plumbing, unsigned number,
        bool is_victim);

/* The other side: what --worker says. Returns the exit code. */
int sandbox_run_worker(const char *argument);
