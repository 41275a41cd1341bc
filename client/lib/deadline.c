// SPDX-License-Identifier: Apache-2.0
#include "deadline.h"

#include "filemem/filemem.h"

#include <limits.h>

#define SECOND      UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

static _Thread_local uint64_t timeout = FILEMEM_NO_TIMEOUT;

uint64_t filemem_set_timeout(uint64_t nanoseconds)
{
        uint64_t before = timeout;

        timeout = nanoseconds;
        return before;
}

static uint64_t now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t deadline_after(uint64_t nanoseconds)
{
        uint64_t time, ret;

        if (nanoseconds == FILEMEM_NO_TIMEOUT)
                return DEADLINE_NONE;
        time = now();
        return __builtin_add_overflow(time, nanoseconds, &ret) ? DEADLINE_NONE : ret;
}

uint64_t deadline_begin(void)
{
        return deadline_after(timeout);
}

uint64_t deadline_earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

bool deadline_is_over(uint64_t deadline)
{
        return deadline != DEADLINE_NONE && now() >= deadline;
}

int deadline_timeout(uint64_t deadline)
{
        uint64_t time, left;

        if (deadline == DEADLINE_NONE)
                return -1;
        time = now();
        if (time >= deadline)
                return 0;
        left = (deadline - time + MILLISECOND - 1) / MILLISECOND;
        return left > INT_MAX ? INT_MAX : (int)left;
}

struct timespec deadline_timespec(uint64_t deadline)
{
        return (struct timespec){
                .tv_sec = (time_t)(deadline / SECOND), .tv_nsec = (long)(deadline % SECOND)};
}
