// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#define HUMAN_MAX 32

/* "" or "s", behind what is counted. */
static inline const char *human_plural(uint64_t count)
{
        return count == 1 ? "" : "s";
}

/* "0B", "4K", "1.5M": three digits at most, in powers of 1024. text: of HUMAN_MAX bytes. */
const char *human_size(uint64_t bytes, char *text);

/* "35us", "1.2s", "3h5m". */
const char *human_time(uint64_t nanoseconds, char *text);
