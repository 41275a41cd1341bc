// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/*
 * What the library of count_allocations.c counts, in a file that is mapped by whoever preloads it
 * (LD_PRELOAD) and by the test. The environment names the file, which has to be there.
 */
#define COUNT_ALLOCATIONS "FILEMEM_ALLOCATIONS"

struct count_allocations {
        _Atomic uint64_t messages; /* that were received */
        _Atomic uint64_t handling; /* allocations between a message and its answer */
        _Atomic uint64_t all;      /* of all threads */
};
