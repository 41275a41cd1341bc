// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/*
 * Whether a background thread gets anywhere. It counts a step for each piece of its work, and for
 * each system call that can take long; these are bounded, to 128 MiB of a file where the kernel
 * works through all pages of it. So a thread that has work and counts no step for many seconds is
 * stuck, and one that counts steps is not, however much it has to do.
 */
struct progress {
        _Atomic uint64_t steps;
};

/* From now on the steps of the calling thread are counted there; NULL: nowhere, as at first. */
void progress_follow(struct progress *progress);

/* One step. Any thread may call it. */
void progress_made(void);

static inline uint64_t progress_steps(const struct progress *progress)
{
        return atomic_load_explicit(&progress->steps, memory_order_relaxed);
}
