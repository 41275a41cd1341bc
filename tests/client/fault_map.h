// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/* mmap() and madvise() that fail when a test says so (ld --wrap), of the thread that says it. */

/* The n-th mmap() from now on (0: the next one) fails, once, with ENOMEM. Negative: none. */
void fault_map_at(long n);

/* The same, and `count` in a row. */
void fault_map_many(long n, long count);

/* Whether it has happened since. */
bool fault_map_happened(void);

/* The next madvise() fails with this errno, once. 0: none. */
void fault_advise(int error);

/* Whether anything is mapped at that address, by /proc/self/maps. */
bool fault_map_is_mapped(const void *address);
