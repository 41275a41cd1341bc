// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

/*
 * Counts what is allocated from the heap in the whole process, in shared libraries too. Where a
 * sanitizer has the heap it is asked, else glibc.
 */

/* Before the first count; again is fine. */
void allocations_watch(void);

/* Two counts differ if memory was allocated in between (glibc: and not given back). */
size_t allocations_count(void);
