// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

/* Nanoseconds of CLOCK_MONOTONIC. Whatever decides by time takes it as an argument instead. */
uint64_t clock_now(void);
