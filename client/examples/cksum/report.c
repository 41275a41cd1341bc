// SPDX-License-Identifier: Apache-2.0
#include "cksum/report.h"

#include <stdio.h>
#include <time.h>

static char *next_text(void)
{
        static char texts[4][32];
        static unsigned next;

        return texts[next++ % 4];
}

uint64_t report_now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

const char *report_bytes(uint64_t bytes)
{
        char *text = next_text();

        if (bytes < 1000)
                snprintf(text, 32, "%u bytes", (unsigned)bytes);
        else if (bytes < 1000000)
                snprintf(text, 32, "%.1f KB", (double)bytes / 1e3);
        else
                snprintf(text, 32, "%.1f MB", (double)bytes / 1e6);
        return text;
}

const char *report_rate(uint64_t bytes, uint64_t time)
{
        char *text = next_text();

        snprintf(text, 32, "%.2f GB/s", time ? (double)bytes / (double)time : 0.0);
        return text;
}

double report_seconds(uint64_t nanoseconds)
{
        return (double)nanoseconds / 1e9;
}
