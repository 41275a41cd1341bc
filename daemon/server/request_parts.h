// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/request.h"

/*
 * What the files of a request share:
 *
 *      request.c           how its operations are run
 *      request_wait.c      how it waits, and when others have a turn
 *      request_answer.c    what came of it, and how its client is told
 */

struct rpc;

/* ---- request_wait.c -------------------------------------------------------------------------- */

/* Parks the request in its session, if it is not parked already. NULL when out of memory. */
struct request *request_park(struct request *request);

/* Frees one that was parked. */
void request_free(struct request *request);

/* Whether the operation that was just run has made it time for the others. */
bool request_is_due(struct request *request, const Filemem__Operation *operation);

/* Goes on in a later turn of the loop. Where there is no memory for that it returns false: it goes
 * on at once. */
bool request_yield(struct request **request);

/* ---- request_answer.c ------------------------------------------------------------------------ */

/* One operation is through: r is what came of it, and `mark` where the arena stood before it. */
void request_keep(struct request *request, const struct rpc *rpc, const Filemem__Result *result,
        int r, size_t mark);

/* Sends the reply, if any result is wanted; then the events. Returns 0 or a negative errno. */
int request_answer(struct request *request);

/* Nothing of the request is done: says so. Returns 0 or a negative errno. */
int request_refuse(struct session *session, uint64_t id, int outcome);
