// SPDX-License-Identifier: Apache-2.0
#include "usage/range.h"

#include "base/error.h"

int range_check(struct range range, uint64_t capacity, uint64_t page_size)
{
        if (range.start >= range.end)
                return OUTCOME_RANGE_EMPTY;
        if ((range.start | range.end) & (page_size - 1))
                return OUTCOME_RANGE_UNALIGNED;
        if (range.end > capacity)
                return OUTCOME_RANGE_BEYOND;
        return 0;
}

int range_check_length(uint64_t length, uint64_t capacity, uint64_t page_size)
{
        if (!length)
                return OUTCOME_LENGTH_ZERO;
        if (length & (page_size - 1))
                return OUTCOME_LENGTH_UNALIGNED;
        if (length > capacity)
                return OUTCOME_POOL_FULL;
        return 0;
}
