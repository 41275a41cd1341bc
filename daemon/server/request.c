// SPDX-License-Identifier: Apache-2.0
#include "server/request_parts.h"

#include "base/check.h"
#include "base/error.h"
#include "server/once.h"
#include "server/rpc.h"
#include "server/state.h"

/* ---- running --------------------------------------------------------------------------------- */

static const struct rpc *current_rpc(const struct request *request)
{
        return rpc_find(request->message->operations[request->index]);
}

/* Whether it is begun here and done by another thread. */
static bool has_to_wait(
        const struct request *request, const struct rpc *rpc, const Filemem__Operation *operation)
{
        return rpc->begin && (!rpc->takes_long || rpc->takes_long(request, operation));
}

/* Begins what another thread has to do. Returns false if there is no memory for waiting for it. */
static bool begin(
        struct request **request, const struct rpc *rpc, const Filemem__Operation *operation)
{
        struct request *parked = request_park(*request);

        if (!parked)
                return false;
        *request = parked;
        rpc->begin(parked, operation);
        if (parked->abandoned)
                pool_cancel(&parked->job);
        return true;
}

/* Whether this session may do such a thing at all. */
static int check_session(const struct session *session, const struct rpc *rpc)
{
        if (!rpc)
                return OUTCOME_OPERATION_UNKNOWN;
        if (!rpc->changes)
                return 0;
        if (!session->holder)
                return OUTCOME_POOL_NONE;
        return session->read_only ? OUTCOME_READ_ONLY : 0;
}

/*
 * Runs from the operation at index on. Returns true at the end, false if it has to wait: then
 * *request is where it does.
 */
static bool run_operations(struct request **request)
{
        while ((*request)->index < (*request)->message->n_operations) {
                const Filemem__Operation *operation =
                        (*request)->message->operations[(*request)->index];
                const struct rpc *rpc = current_rpc(*request);
                Filemem__Result result = FILEMEM__RESULT__INIT;
                size_t mark = (*request)->arena->used;
                int r = check_session((*request)->session, rpc);

                if (!r && (rpc->changes || rpc->once)) {
                        if (once_recall(*request, operation, &result, &r)) {
                                request_keep(*request, rpc, &result, r, mark);
                                continue;
                        }
                        r = once_begin(*request, rpc);
                }
                if (!r && has_to_wait(*request, rpc, operation)) {
                        if (begin(request, rpc, operation))
                                return false;
                        r = OUTCOME_DAEMON_FULL;
                } else if (!r) {
                        r = rpc->run(*request, operation, &result);
                }
                if (r == REQUEST_AGAIN) {
                        if (request_yield(request))
                                return false;
                        continue;
                }
                request_keep(*request, rpc, &result, r, mark);
                if (request_is_due(*request, operation) && request_yield(request))
                        return false;
        }
        return true;
}

/* The same, with what the session may hold, and what it does then. */
static bool work(struct request **request)
{
        struct session *session = (*request)->session;
        bool done;

        session_set_room(session);
        done = run_operations(request);
        session_settle(session);
        return done;
}

/* The operation that was waited for is done. */
static void finish_operation(struct request *request)
{
        const struct rpc *rpc = current_rpc(request);
        Filemem__Result result = FILEMEM__RESULT__INIT;
        size_t mark = request->arena->used;
        int r = rpc->finish(request, request->job_result, &result);

        request_keep(request, rpc, &result, r, mark);
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* The arena is empty, so there is room for the results of as many operations as there may be. */
static void start(struct request *request, struct session *session, const Filemem__Request *message,
        struct arena *arena)
{
        Filemem__Result *results;

        request->session = session;
        request->message = message;
        request->arena = arena;
        request->index = 0;
        request->used = 0;
        request->n_results = 0;
        request->n_failures = 0;
        request->wanted = 0;
        request->pages = 0;
        request->began_at = 0;
        request->arrived_at = session->server->clock;
        request->yielded = false;
        request->fd = -1;
        request->asked = NULL;
        request->sentence[0] = 0;
        request->abandoned = false;
        request->begun = false;
        request->from = 0;
        for (size_t i = 0; i < message->n_operations; i++)
                request->wanted += !message->operations[i]->no_reply;
        results = arena_alloc(arena, sizeof(*results) * request->wanted);
        request->results = arena_alloc(arena, sizeof(Filemem__Result *) * request->wanted);
        check(results && request->results);
        for (size_t i = 0; i < request->wanted; i++) {
                filemem__result__init(&results[i]);
                request->results[i] = &results[i];
        }
}

int request_handle(struct session *session, const Filemem__Request *message)
{
        struct server *server = session->server;
        struct request *request = &server->request;

        server->statistics.requests++;
        if (!message->n_operations)
                return request_refuse(session, message->id, OUTCOME_BATCH_EMPTY);
        if (message->n_operations > WIRE_OPERATIONS_MAX)
                return request_refuse(session, message->id, OUTCOME_BATCH_TOO_LONG);
        server->statistics.operations += message->n_operations;
        arena_reset(&server->results);
        start(request, session, message, &server->results);
        return work(&request) ? request_answer(request) : 0;
}

/* ---- going on -------------------------------------------------------------------------------- */

void request_job_done(struct pool_job *job, int result)
{
        struct request *request = (void *)((char *)job - offsetof(struct request, job));
        struct server *server = request->session->server;

        request->job_result = result;
        inbox_post(&server->inbox, &request->item); /* from here on it is the loop's */
}

void request_cancel(struct request *request)
{
        request->abandoned = true;
        pool_cancel(&request->job);
}

void request_receive(struct inbox_item *item)
{
        struct request *request = (void *)((char *)item - offsetof(struct request, item));
        struct session *session = request->session;
        uint64_t now = 0;
        int r = 0;

        /* Of a session that ended, the rest of the request matters to nobody. */
        if (!session->ended && !session_begin_turn(session, &now)) {
                inbox_post(&session->server->inbox, item);
                return;
        }
        if (!session->ended) {
                if (!request->yielded)
                        finish_operation(request);
                request->asked = served_release(request->asked);
                request->yielded = false;
                if (!work(&request)) {
                        session_end_turn(session, now);
                        return;
                }
                r = request_answer(request);
                session_end_turn(session, now);
        }
        request_free(request);
        session_unpark(session, r);
}
