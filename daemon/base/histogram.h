// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How long things took: a count for each of 128 buckets, of which four are between any two powers
 * of two, from 64 ns to some nine minutes. One thread adds, at the price of three stores; any may
 * look.
 */
#define HISTOGRAM_BUCKETS 128

struct histogram {
        _Atomic uint64_t count;
        _Atomic uint64_t sum; /* ns */
        _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of a duration in ns. */
static inline size_t histogram_bucket(uint64_t duration)
{
        unsigned exponent;
        size_t bucket;

        if (duration < 256)
                return duration / 64;
        exponent = 63 - (unsigned)__builtin_clzll(duration);
        bucket = 4 + (exponent - 8) * 4 + (duration >> (exponent - 2) & 3);
        return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* No read-modify-write: there is one writer. */
static inline void histogram_increase(_Atomic uint64_t *counter, uint64_t more)
{
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                memory_order_relaxed);
}

static inline void histogram_add(struct histogram *histogram, uint64_t duration)
{
        histogram_increase(&histogram->buckets[histogram_bucket(duration)], 1);
        histogram_increase(&histogram->count, 1);
        histogram_increase(&histogram->sum, duration);
}
