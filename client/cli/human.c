// SPDX-License-Identifier: Apache-2.0
#include "human.h"

#include <inttypes.h>
#include <stdio.h>

/* number / unit with one digit after the point while it is below ten and not whole. */
static const char *scale(uint64_t number, uint64_t unit, const char *name, char *text)
{
        uint64_t whole = number / unit;
        uint64_t tenths = (uint64_t)((number % unit) * (__uint128_t)10 / unit);

        if (whole < 10 && tenths)
                snprintf(text, HUMAN_MAX, "%" PRIu64 ".%" PRIu64 "%s", whole, tenths, name);
        else
                snprintf(text, HUMAN_MAX, "%" PRIu64 "%s", whole, name);
        return text;
}

const char *human_size(uint64_t bytes, char *text)
{
        static const char *const names[] = {"B", "K", "M", "G", "T", "P", "E"};
        unsigned power = 0;

        while (power < 6 && bytes >> (10 * (power + 1)))
                power++;
        return scale(bytes, UINT64_C(1) << (10 * power), names[power], text);
}

const char *human_time(uint64_t nanoseconds, char *text)
{
        uint64_t seconds = nanoseconds / 1000000000;

        if (nanoseconds < 1000)
                return scale(nanoseconds, 1, "ns", text);
        if (nanoseconds < 1000000)
                return scale(nanoseconds, 1000, "us", text);
        if (seconds < 1)
                return scale(nanoseconds, 1000000, "ms", text);
        if (seconds < 60)
                return scale(nanoseconds, 1000000000, "s", text);
        if (seconds < 3600)
                snprintf(text, HUMAN_MAX, "%" PRIu64 "m%" PRIu64 "s", seconds / 60, seconds % 60);
        else if (seconds < 86400)
                snprintf(text, HUMAN_MAX, "%" PRIu64 "h%" PRIu64 "m", seconds / 3600,
                        seconds / 60 % 60);
        else
                snprintf(text, HUMAN_MAX, "%" PRIu64 "d%" PRIu64 "h", seconds / 86400,
                        seconds / 3600 % 24);
        return text;
}
