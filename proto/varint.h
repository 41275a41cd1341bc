// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Numbers as protocol buffers write them. For frame.c and frequent.c. */

static inline size_t varint_length(uint64_t number)
{
        size_t length = 1;

        while (number >>= 7)
                length++;
        return length;
}

/* Returns its end. */
static inline uint8_t *varint_put(uint8_t *at, uint64_t number)
{
        for (; number >= 0x80; number >>= 7)
                *at++ = (uint8_t)(number | 0x80);
        *at++ = (uint8_t)number;
        return at;
}

/* The same with the field's number before it. What is 0 is left out. */
static inline uint8_t *varint_put_field(uint8_t *at, unsigned field, uint64_t number)
{
        if (!number)
                return at;
        *at++ = (uint8_t)(field << 3);
        return varint_put(at, number);
}
