// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Runs a command of the user's through /bin/sh, with the name of the stage in $FILEMEM_STAGE. NULL:
 * none. Returns 0, or -1 after one line on stderr.
 */
int stage_run(const char *command, const char *name);
