// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Tells a forked child from the process that opened the session, at the cost of one load: a page
 * that the kernel wipes in the child (MADV_WIPEONFORK, Linux 4.14) holds a word that is not zero.
 */
struct fork_guard {
        volatile unsigned *word;
};

/*
 * page: a page of private memory that is for nothing else. Returns 0 or a negative errno: without
 * the kernel's help there is no guard, and no session.
 */
int fork_guard_init(struct fork_guard *guard, void *page, size_t size);

static inline bool fork_guard_is_child(const struct fork_guard *guard)
{
        return *guard->word == 0;
}
