// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cksum/files.h"
#include "cksum/plumbing.h"

/*
 * A process that computes: takes a reference on each range that it is told of, as soon as it is
 * told, and works through them. is_victim: stops in the middle of its first one, says so, and waits
 * for its end. Returns the exit code when there is nobody left who could give it work.
 */
int worker_run(const char *socket, struct plumbing *plumbing, unsigned number, bool is_victim);
