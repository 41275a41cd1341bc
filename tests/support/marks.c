// SPDX-License-Identifier: Apache-2.0
/*
 * libcheck writes where it is to a file at every assertion that holds, so that it can tell of a
 * crash after which one that was. That is two system calls, and in tests that look at each byte or
 * page, nearly all of their time. Here a test that has told of many tells only now and then where
 * it is: what libcheck prints, "after this point", stays true.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define ALL_UP_TO   1000u
#define INTERVAL_MS 20

void __real__mark_point(const char *file, int line);

#pragma GCC visibility push(default)
void __wrap__mark_point(const char *file, int line);
#pragma GCC visibility pop

static _Atomic unsigned count;
static _Atomic int64_t told_at;

static int64_t now_ms(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
        return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void __wrap__mark_point(const char *file, int line)
{
        if (atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) >= ALL_UP_TO) {
                int64_t now = now_ms();

                if (now < atomic_load_explicit(&told_at, memory_order_relaxed) + INTERVAL_MS)
                        return;
                atomic_store_explicit(&told_at, now, memory_order_relaxed);
        }
        __real__mark_point(file, line);
}
