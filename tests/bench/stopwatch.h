// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"

#include <time.h>

/*
 * How long something took, and how much of that this thread was running: where others want the
 * cores too, the first says more about them.
 */
struct stopwatch {
        uint64_t time; /* nanoseconds, as cpu */
        uint64_t cpu;
};

static inline uint64_t stopwatch_cpu(void)
{
        struct timespec spent;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
        return (uint64_t)spent.tv_sec * NSEC_PER_SEC + (uint64_t)spent.tv_nsec;
}

static inline struct stopwatch stopwatch_start(void)
{
        return (struct stopwatch){.cpu = stopwatch_cpu(), .time = clock_now()};
}

/* What has passed since. */
static inline struct stopwatch stopwatch_read(const struct stopwatch *start)
{
        return (struct stopwatch){
                .time = clock_now() - start->time,
                .cpu = stopwatch_cpu() - start->cpu,
        };
}
