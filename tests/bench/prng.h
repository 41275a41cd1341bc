// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/* xorshift64: the same operations on every machine, drawn at a cost of a nanosecond. */
struct prng {
        uint64_t state;
};

#define PRNG_START                                                                                 \
        {                                                                                          \
                .state = UINT64_C(88172645463325252)                                               \
        }

static inline uint64_t prng_next(struct prng *prng)
{
        prng->state ^= prng->state << 13;
        prng->state ^= prng->state >> 7;
        prng->state ^= prng->state << 17;
        return prng->state;
}

/* FNV-1a over 64-bit values: tells whether two programs did the same operations. */
struct op_hash {
        uint64_t value;
};

#define OP_HASH_START                                                                              \
        {                                                                                          \
                .value = UINT64_C(14695981039346656037)                                            \
        }

static inline void op_hash_add(struct op_hash *hash, uint64_t value)
{
        hash->value ^= value;
        hash->value *= UINT64_C(1099511628211);
}
