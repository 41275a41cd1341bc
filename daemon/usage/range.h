// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/* A half-open range [start, end) of a pool's file, in bytes. An empty one is always an error. */
struct range {
        uint64_t start;
        uint64_t end;
};

/*
 * What a range is for. The values are those of the protocol and of the ancestor. A freed range (no
 * references, not yet given back) is of kind System.
 */
enum kind {
        KIND_SYSTEM,
        KIND_ANONYMOUS,
        KIND_PAGE_CACHE,
        KIND_TMPFS,
        KIND_RAMDISKFS,
        KIND_MAPPED,
        KIND_COUNT,
};

/*
 * Whether a range may be spoken of at all in a pool of that capacity (bytes). Never overflows,
 * whatever the numbers. page_size: a power of two. Returns 0, OUTCOME_RANGE_EMPTY, _UNALIGNED or
 * _BEYOND.
 */
int range_check(struct range range, uint64_t capacity, uint64_t page_size);

/*
 * The same for a length to allocate: 0, OUTCOME_LENGTH_ZERO, _UNALIGNED, or OUTCOME_POOL_FULL if
 * the whole pool is smaller.
 */
int range_check_length(uint64_t length, uint64_t capacity, uint64_t page_size);
