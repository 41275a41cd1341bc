// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cksum/files.h"
#include "cksum/plumbing.h"

/*
 * The process that reads the files: each into a range of its own, of which it tells a worker and
 * the coordinator. When both have said that they hold it the loader lets go; when all is handed
 * over it returns, whether anybody has computed anything or not. Returns the exit code.
 */
int loader_run(const char *socket, struct files *files, struct plumbing *plumbing);
