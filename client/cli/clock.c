// SPDX-License-Identifier: Apache-2.0
#include "clock.h"

#include <errno.h>
#include <time.h>

static uint64_t get_time(clockid_t clock)
{
        struct timespec time;

        clock_gettime(clock, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t clock_now(void)
{
        return get_time(CLOCK_MONOTONIC);
}

uint64_t clock_real(void)
{
        return get_time(CLOCK_REALTIME);
}

void clock_wait(uint64_t ns)
{
        struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}
