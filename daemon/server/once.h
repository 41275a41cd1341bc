// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/request.h"

/*
 * Operations that change the memory of a pool, in a session that outlives the daemon: they are
 * written down under their request, so that one that is sent again is not done again.
 */

/*
 * Whether the operation that is next was done by a daemon before this one. If so the result and
 * what came of it are those of then. One that was done in part is to go on from there.
 */
bool once_recall(struct request *request, const Filemem__Operation *operation,
        Filemem__Result *result, int *ret);

/* It is about to be done. Returns 0 or -ENOMEM, and then it must not. */
int once_begin(struct request *request);

/* It was: what is not written down with what it changed is now. */
void once_note(struct request *request, int result);
