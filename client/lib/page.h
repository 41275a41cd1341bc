// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/wire.h"
#include "sized.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A page of a list. Lists ascend, and a page has what comes after the last one's end: a page that
 * does not would have its caller ask without end.
 */
struct page {
        struct sized to;
        uint64_t after; /* all that is on it */
};

/* As much of it as fits into memory of ours whatever is on it. */
static inline struct page page_begin(void *items, size_t count, size_t size, uint64_t after)
{
        return (struct page){
                .to = {items, size, count < WIRE_PAGE_MAX ? count : WIRE_PAGE_MAX},
                .after = after,
        };
}

/* Whether what the daemon says of an empty page leads on: `next` is 0 or later. */
static inline bool page_goes_on(size_t count, uint64_t next, uint64_t after)
{
        return count || !next || next > after;
}
