// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/* Ns of a clock that nobody sets. */
uint64_t clock_now(void);

/* Ns since 1970. */
uint64_t clock_real(void);

/* Sleeps so many ns, whatever signals come that are ignored or handled. */
void clock_wait(uint64_t ns);
