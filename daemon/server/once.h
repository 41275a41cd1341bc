// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/wire.h"
#include "server/request.h"
#include "server/rpc.h"

struct state_record;

/*
 * Operations that are done once, in a session that outlives the daemon: they are written down under
 * their request, so that one that is sent again is not done again. What changes the memory of a
 * pool is in its journal. What changes anything else is in that of the server: of each session what
 * came of such operations in the last request that had one.
 */
struct once_results {
        uint64_t request;
        size_t count;
        struct {
                uint32_t operation;
                int result;
        } list[WIRE_OPERATIONS_MAX];
};

/*
 * Whether the operation that is next was done by a daemon before this one. If so the result and
 * what came of it are those of then. One that was done in part is to go on from there.
 */
bool once_recall(struct request *request, const Filemem__Operation *operation,
        Filemem__Result *result, int *ret);

/* It is about to be done. Returns 0 or -ENOMEM, and then it must not. */
int once_begin(struct request *request, const struct rpc *rpc);

/*
 * The next thing that it does is to end a session or a pool; and that is what it came to. kept:
 * whether that outlives the daemon, so that it is written down when it is gone.
 */
void once_ends(struct request *request, bool kept);

/* It was: what is not written down with what it changed is now. */
void once_note(struct request *request, int result);

/* What a daemon before this one wrote down, in its order. Returns 0 or -ENOMEM. */
int once_restore(struct session *session, const struct state_record *records, size_t count);
