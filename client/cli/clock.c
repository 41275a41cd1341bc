// SPDX-License-Identifier: Apache-2.0
#include "clock.h"

#include <errno.h>
#include <time.h>

uint64_t clock_now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void clock_wait(uint64_t ns)
{
        struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}
