// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/harness.h"

#include "memory/pool.h"
#include "memory/private.h"

#include <stdbool.h>

/* A pool of one gigabyte without threads: every step is the test's. */
#define FIXTURE_PAGE     UINT64_C(4096)
#define FIXTURE_CAPACITY (UINT64_C(1) << 30)

extern struct memory *memory;
extern struct pool *pool;

void fixture_set_up(void);

/* The pool is validated whole before it goes. */
void fixture_tear_down(void);

/* A range of pages. */
struct range pages(uint64_t start, uint64_t end);

/* Allocates that many pages, which has to work. */
struct range take(struct holder *holder, uint64_t count, enum kind kind);

/* The pool's file, mapped where the client has it: a store through it is a client's store. */
unsigned char *client_map(struct range range);
void client_unmap(unsigned char *address, struct range range);

/* Writes one byte to every page of the range, or to every `stride`-th. */
void client_touch(struct range range, unsigned stride);

/* Whether all bytes of the range are zero, without committing any. */
bool client_reads_zero(struct range range);

/* Does jobs and reclaims until there is nothing left to do. */
void reclaim_all(void);

/* Whether a step says that there may be something to do at once, or in a moment. */
bool is_more(enum reclaim_result result);

/* Decommits, stepping the reclaim thread's work, and returns the result. */
int decommit(struct holder *holder, struct range range, bool shared);

/* Scans whatever the budget, and returns what is known then. */
struct pool_usage usage_after_scan(void);

/* What the kernel stores for the file, in bytes. */
uint64_t stored(void);

/* Polls until nothing is freed any more and the file stores that many bytes; fails after 10 s. */
void wait_until_stored(uint64_t bytes);
