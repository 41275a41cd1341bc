// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/* Numbers for people. */

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t report_now(void);

/* "299.8 MB". Valid until the fourth call from now. */
const char *report_bytes(uint64_t bytes);

/* Bytes in nanoseconds, as "1.92 GB/s". */
const char *report_rate(uint64_t bytes, uint64_t time);

double report_seconds(uint64_t nanoseconds);
