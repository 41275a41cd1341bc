// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "proto/arena.h"
#include "proto/wire.h"
#include "server/inbox.h"
#include "server/server.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct served;
struct session;

/* A no-reply operation that was refused. */
struct request_failure {
        uint32_t operation;
        int result;
};

/*
 * A request on its way: its operations are run in order, each has its own result.
 *
 * The reply always fits into a message: every result without a list takes at most WIRE_RESULT_MAX
 * bytes, 256 of these fit; a result with a list is given what is left when that much is set aside
 * for each one that is still to come.
 */
struct request {
        struct session *session;
        const Filemem__Request *message;
        struct arena *arena; /* for the results */
        size_t index;        /* of the operation that is run */
        size_t wanted;       /* results still to come */
        size_t used;         /* bytes of the reply that are taken, or set aside */
        Filemem__Result **results;
        size_t n_results;
        struct request_failure failures[WIRE_OPERATIONS_MAX];
        size_t n_failures;
        int fd;               /* to go with the reply; owned; -1: none */
        struct served *asked; /* the pool that the operation which is run waits for; or NULL */

        uint64_t arrived_at; /* clock_now() */
        uint64_t from;       /* where an operation that is done in parts goes on; 0: not begun */
        uint64_t pages;      /* of ranges since the clock was looked at */
        uint64_t began_at;   /* clock_now() when that was many for the first time; 0: not yet */

        /* While it is parked: an operation is under way on another thread, or others have a turn.
         */
        struct pool_job job;
        int job_result;
        bool yielded;
        bool abandoned; /* nobody waits for it any more */
        bool begun;     /* what comes of the operation is to be written down: see once.h */
        struct inbox_item item;
        struct server_waiter waiter;
        char sentence[WIRE_TEXT_MAX + 1]; /* of the next refusal, if not the usual one; else "" */
};

/* What a handler returns that has done a part of its operation: the others have a turn, then it is
 * called again. */
#define REQUEST_AGAIN INT_MIN

/*
 * Runs a request that was just decoded into the server's arena, and sends its reply and its events;
 * or parks it in the session, with that arena. Returns 0, or a negative errno after which the
 * session has to be ended.
 */
int request_handle(struct session *session, const Filemem__Request *message);

/* What the inbox receives: a parked request whose operation was done. Goes on with it. */
void request_receive(struct inbox_item *item);

/*
 * Nobody waits for the parked request any more: it goes on, but what it is at, or comes to, that is
 * for its own session alone is left.
 */
void request_cancel(struct request *request);

/* For rpc: what the job of a parked request calls when it is done. */
void request_job_done(struct pool_job *job, int result);

/* Bytes that the list in the result of the operation that is run may take, when packed. */
size_t request_room(const struct request *request);
