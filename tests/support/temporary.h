// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

/*
 * Writes to path where a temporary file of this name belongs: in $TMPDIR, or in /tmp. It makes
 * nothing. Returns 0, or -ENAMETOOLONG where path is too small.
 */
int temporary_path(char *path, size_t size, const char *name);
