// SPDX-License-Identifier: Apache-2.0
#include "base/crash.h"

#ifdef FILEMEM_DEBUG_CHECKS

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic long steps_left;

void crash_arm(long n)
{
        atomic_store(&steps_left, n);
}

void crash_point(void)
{
        if (atomic_load_explicit(&steps_left, memory_order_relaxed) > 0 &&
                atomic_fetch_sub(&steps_left, 1) == 1) {
                kill(getpid(), SIGKILL);
                for (;;)
                        pause();
        }
}

#else
typedef int crash_is_for_debug_builds;
#endif
