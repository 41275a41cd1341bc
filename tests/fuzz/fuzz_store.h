// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "server/server.h"

/*
 * A descriptor store that is small, often full, and now and then takes nothing; and what is in it
 * has to be all that a next daemon needs.
 */

/* An empty one. */
const struct server_store *fuzz_store_open(void);

/* Closes what is left in it. */
void fuzz_store_close(void);

/* How many descriptors are in it. */
size_t fuzz_store_count(void);

/*
 * Makes the pool again from what is in the store. Then each of the holders has to hold in it what
 * it holds in the pool.
 */
struct fuzz_store_holder {
        uint64_t session;
        struct holder *holder;
};

void fuzz_store_check(struct memory *memory, struct pool *pool,
        const struct fuzz_store_holder *holders, size_t count);
