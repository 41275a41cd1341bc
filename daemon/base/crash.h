// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Dying at a chosen step, for tests. Wherever what survives a crash changes there is a
 * crash_point(); of those that are passed after crash_arm(n) the n-th (from 1) is the end: SIGKILL,
 * as sudden as any. Builds with FILEMEM_DEBUG_CHECKS only; the others pay nothing.
 */
#ifdef FILEMEM_DEBUG_CHECKS
void crash_arm(long n);
void crash_point(void);
#else
static inline void crash_arm(long n)
{
        (void)n;
}
static inline void crash_point(void)
{
}
#endif
