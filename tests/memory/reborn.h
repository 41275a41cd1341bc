// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/fixture.h"
#include "memory/survive.h"

/*
 * A pool's next life: made from its file and a copy of its journal as both are now, while the pool
 * goes on. Its holders are not claimed yet.
 */
struct pool *reborn(struct pool *from);

/* The same from a journal of the caller's making, which is taken over. */
struct pool *reborn_from(struct pool *from, int journal_fd);

/* A copy of a sparse memfd. */
int copy_memfd(int fd);

/* Frees it and all that is in it, of which nobody hears. */
void reborn_free(struct pool *again);

/* Fails unless it is the same pool: entries, size, and what each holder holds. */
void assert_same(struct pool *from, struct pool *again);

/* fixture_set_up(), and the pool has a journal. */
void reborn_set_up(void);

/* A holder for that session. */
struct holder *join(uint64_t session);

/* What the holder does next is this operation of that request. */
void begin(struct holder *holder, uint64_t request, uint32_t operation);

/* Fails unless the pool's next life would be the same. */
void assert_survives(void);
