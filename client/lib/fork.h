// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/*
 * Tells a forked child from the process that opened the session, at the cost of a load.
 *
 * There is one page in the process that the kernel wipes in a child (MADV_WIPEONFORK, Linux 4.14),
 * made by whoever opens the first session and kept until the process ends. Its first word is the
 * generation of the process: a number that neither an ancestor had nor a child will have, since who
 * finds none there takes the next one of a count that children inherit. A session remembers the
 * generation that it was opened in.
 */
struct fork_guard {
        const atomic_ulong *word;
        unsigned long generation;
};

/*
 * The guard of what belongs to this process. Returns 0; -ENOMEM; or another negative errno: without
 * the kernel's help there is no guard, and no session. Thread safe.
 */
int fork_guard_init(struct fork_guard *guard);

static inline bool fork_guard_is_child(const struct fork_guard *guard)
{
        return atomic_load_explicit(guard->word, memory_order_relaxed) != guard->generation;
}
