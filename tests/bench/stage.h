// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"

/* What every scenario plays on: a pool of its own with one holder, both threads running. */
struct stage {
        struct memory *memory;
        struct pool *pool;
        struct holder *holder;
        uint64_t page_size;
};

/* capacity: bytes, rounded up to chunks. Returns 0 or a negative errno. */
int stage_open(struct stage *stage, uint64_t capacity);
void stage_close(struct stage *stage);

/* A kind that is not that of the neighbours, so that they stay entries of their own. */
static inline enum kind alt(uint64_t i)
{
        return i % 2 ? KIND_ANONYMOUS : KIND_PAGE_CACHE;
}

/* pool_allocate() of the stage's holder, in pages. */
int stage_allocate(struct stage *stage, uint64_t pages, enum kind kind, struct range *ret);

/* Waits until nothing is freed and not yet given back. Returns 0 or -ETIMEDOUT. */
int stage_wait_reclaimed(struct stage *stage);

/* Waits until the kernel stores `bytes` for the file. Returns 0 or a negative errno. */
int stage_wait_stored(struct stage *stage, uint64_t bytes);

/* The pool's memory for tree and holdings, bytes for each entry of the tree. */
double stage_metadata(struct stage *stage);
