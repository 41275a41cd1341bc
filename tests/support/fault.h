// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * Running out of memory at a chosen moment. Allocations are those that the code linked into the
 * test makes itself (ld --wrap): what libc or another shared library allocates inside is not seen.
 */

/* The n-th allocation from now on (0: the next one), of this thread, fails, once. Negative: none.
 */
void fault_alloc_at(long n);

/* Whether it has happened since. */
bool fault_alloc_happened(void);
