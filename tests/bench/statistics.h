// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/* They may sort what they are given. count is not 0. */
double statistics_median(double *values, size_t count);
double statistics_minimum(const double *values, size_t count);

/* The smallest time that `percent` of all do not exceed. */
uint32_t statistics_percentile(uint32_t *times, size_t count, unsigned percent);

/* Nanoseconds from one clock reading to another, for the above: at most 4 s. */
static inline uint32_t statistics_time(uint64_t from, uint64_t to)
{
        return to - from > UINT32_MAX ? UINT32_MAX : (uint32_t)(to - from);
}
