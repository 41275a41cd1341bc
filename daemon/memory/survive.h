// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Pools that outlive the daemon: the second door of the memory room. A pool with a journal writes
 * down every change of who holds what, before its lock is dropped; so whoever gets its memfd and
 * its journal next goes on with it. A pool without one pays a predicted branch for each change.
 *
 * Requests are written down with what they changed: who sends one again, because the answer was
 * lost, gets the results that there were. Of each holder those of its last request are kept, since
 * all before it were answered.
 */

/*
 * Gives a new pool a journal. Before it has holders. Returns 0 or a negative errno.
 */
int pool_keep_journal(struct pool *pool);

/* The descriptors to keep, borrowed: the memory, and the journal (-1: none). */
int pool_store_fd(const struct pool *pool);
int pool_journal_fd(const struct pool *pool);

/*
 * Writes nothing down any more: what follows is the end of the daemon, or of the pool, and not of
 * its sessions.
 */
void pool_stop_journal(struct pool *pool);

/*
 * Makes the pool again from what was kept, and takes over both descriptors on 0. options: what it
 * was made with. What its sessions held waits to be claimed. If the journal is damaged, the pool
 * has what could be read, and keeps all memory as it is: it gives nothing to anybody any more, and
 * punches nothing. Returns 0; -EPROTONOSUPPORT if a newer version wrote the journal, which is left
 * as it is; or another negative errno.
 */
int pool_resume(struct memory *memory, const struct pool_options *options, int fd, int journal_fd,
        struct pool **ret);

/* Whether the journal was damaged. */
bool pool_is_damaged(const struct pool *pool);

/* What that session held; NULL if there is nothing of it. It is the caller's. */
struct holder *pool_claim_holder(struct pool *pool, uint64_t session);

/* Has all that nobody claimed released, as what sessions held that ended. */
void pool_release_unclaimed(struct pool *pool);

/* holder_new(), for a session of that identity. */
int holder_new_for(struct pool *pool, uint64_t session, struct holder **ret);

/* ---- results ----------------------------------------------------------------------------------
 */

struct pool_result {
        uint32_t operation;
        int result;         /* 0 or an outcome or errno */
        struct range range; /* of an allocation */
        bool part;          /* of a decref: it was done up to range.end only */
};

/*
 * What the holder does next is this operation of that request (ids ascend; 0: one that is never
 * sent again). Returns 0 or -ENOMEM, and then it must not be done.
 */
int holder_begin(struct holder *holder, uint64_t request, uint32_t operation);

/* What came of an operation that did not change what is held: a refusal, or something else. */
void holder_note(struct holder *holder, int result);

/* What came of it, if anything did before. */
bool holder_recall(
        struct holder *holder, uint64_t request, uint32_t operation, struct pool_result *ret);

/* The last request of which something was written down; 0: none. */
uint64_t holder_last_request(struct holder *holder);
