// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>

/*
 * "16M-1G", "0x200000-0x400000", "1.5G-", "-64K": from where to where; what is left out is the
 * start, or the end, of everything. Units are powers of 1024. Returns whether it is one.
 */
bool map_range_parse(const char *text, struct filemem_range *ret);

/* How many rows at most: 1 to 1000. */
bool map_rows_parse(const char *text, size_t *ret);
