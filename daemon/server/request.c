// SPDX-License-Identifier: Apache-2.0
#include "server/request.h"

#include "base/check.h"
#include "base/error.h"
#include "proto/status.h"
#include "server/rpc.h"
#include "server/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The envelope, the id and the status of a reply whose text is empty, and some to spare. */
#define REPLY_FRAME 64

_Static_assert(REPLY_FRAME + WIRE_OPERATIONS_MAX * WIRE_RESULT_MAX <= WIRE_MESSAGE_MAX,
        "a reply of small results fits into a message");

/* A request that has to wait, with memory of its own: the server's is for the others. */
struct parked {
        struct request request;
        struct arena decode;
        struct arena results;
};

size_t request_room(const struct request *request)
{
        size_t wanted = request->wanted;
        size_t taken;

        /* For a no-reply list nothing is sent: it is run as if it were the last that is wanted. */
        if (!request->message->operations[request->index]->no_reply)
                wanted--;
        taken = REPLY_FRAME + request->used + wanted * WIRE_RESULT_MAX;
        return taken < WIRE_MESSAGE_MAX ? WIRE_MESSAGE_MAX - taken : 0;
}

/* ---- results --------------------------------------------------------------------------------- */

static void keep_failure(struct request *request, int r)
{
        struct request_failure *failure;

        if (!r)
                return;
        failure = &request->failures[request->n_failures++];
        failure->operation = (uint32_t)request->index;
        failure->result = r;
}

/* Takes a result into the reply, and takes from the room what it needs. */
static void keep_result(
        struct request *request, const struct rpc *rpc, const Filemem__Result *result, int r)
{
        Filemem__Result *kept = request->results[request->n_results++];
        size_t size = WIRE_RESULT_MAX;

        if (r) {
                kept->status = status_from_errno(error_status(r));
                kept->text = (char *)(uintptr_t)error_text(r);
        } else {
                *kept = *result;
                if (rpc->lists)
                        size = filemem__result__get_packed_size(kept) + 4; /* tag and length */
        }
        debug_check(filemem__result__get_packed_size(kept) + 4 <= size);
        request->used += size;
        request->wanted--;
}

/* One operation is through: r is what came of it, and `mark` where the arena stood before it. */
static void keep(struct request *request, const struct rpc *rpc, const Filemem__Result *result,
        int r, size_t mark)
{
        bool wanted = !request->message->operations[request->index]->no_reply;

        if (r)
                request->session->server->statistics.refusals++;
        if (wanted)
                keep_result(request, rpc, result, r);
        else
                keep_failure(request, r);
        if (r || !wanted)
                request->arena->used = mark;
        request->index++;
}

/* ---- running --------------------------------------------------------------------------------- */

static const struct rpc *current_rpc(const struct request *request)
{
        return rpc_find(request->message->operations[request->index]);
}

/* Runs from the operation at request->index on. Returns true at the end, false if one has to wait.
 */
static bool run_operations(struct request *request)
{
        while (request->index < request->message->n_operations) {
                const Filemem__Operation *operation = request->message->operations[request->index];
                const struct rpc *rpc = current_rpc(request);
                Filemem__Result result = FILEMEM__RESULT__INIT;
                size_t mark = request->arena->used;
                int r = OUTCOME_OPERATION_UNKNOWN;

                if (rpc && rpc->begin) {
                        rpc->begin(request, operation);
                        return false;
                }
                if (rpc)
                        r = rpc->run(request, operation, &result);
                keep(request, rpc, &result, r, mark);
        }
        return true;
}

/* The operation that was waited for is done. */
static void finish_operation(struct request *request)
{
        const struct rpc *rpc = current_rpc(request);
        Filemem__Result result = FILEMEM__RESULT__INIT;
        size_t mark = request->arena->used;
        int r = rpc->finish(request, request->job_result, &result);

        keep(request, rpc, &result, r, mark);
}

/* ---- answering ------------------------------------------------------------------------------- */

static int send_reply(struct session *session, Filemem__Reply *reply)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;

        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = reply;
        return session_send(session, &message, -1);
}

static int send_failure(const struct request *request, const struct request_failure *failure)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Event event = FILEMEM__EVENT__INIT;

        event.request = request->message->id;
        event.operation = failure->operation;
        event.status = status_from_errno(error_status(failure->result));
        event.text = (char *)(uintptr_t)error_text(failure->result);
        message.body_case = FILEMEM__TO_CLIENT__BODY_EVENT;
        message.event = &event;
        return session_send(request->session, &message, -1);
}

/* The reply, if any result is wanted; then the events. */
static int answer(struct request *request)
{
        int r = 0;

        if (request->n_results) {
                Filemem__Reply reply = FILEMEM__REPLY__INIT;

                reply.id = request->message->id;
                reply.results = request->results;
                reply.n_results = request->n_results;
                r = send_reply(request->session, &reply);
        }
        for (size_t i = 0; i < request->n_failures && r == 0; i++)
                r = send_failure(request, &request->failures[i]);
        return r;
}

/* Nothing of the request is done. */
static int refuse(struct session *session, uint64_t id, int outcome)
{
        Filemem__Reply reply = FILEMEM__REPLY__INIT;

        session->server->statistics.refusals++;
        reply.id = id;
        reply.status = status_from_errno(error_status(outcome));
        reply.text = (char *)(uintptr_t)error_text(outcome);
        return send_reply(session, &reply);
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

static struct parked *parked_free(struct parked *parked)
{
        if (!parked)
                return NULL;
        arena_deinit(&parked->results);
        arena_deinit(&parked->decode);
        free(parked);
        return NULL;
}

/* Decodes the server's input again, into memory of the request's own. Returns 0 or -ENOMEM. */
static int parked_new(struct session *session, size_t size, struct parked **ret)
{
        struct parked *parked = calloc(1, sizeof(*parked));
        Filemem__ToDaemon *message;

        if (!parked)
                return -ENOMEM;
        if (arena_init(&parked->decode, WIRE_ARENA_SIZE) < 0 ||
                arena_init(&parked->results, SERVER_RESULTS_SIZE) < 0) {
                parked_free(parked);
                return -ENOMEM;
        }
        /* It was decoded before, into an arena of that size. */
        check(wire_decode_to_daemon(&parked->decode, session->server->input, size, &message) == 0);
        start(&parked->request, session, message->request, &parked->results);
        *ret = parked;
        return 0;
}

static bool may_wait(const Filemem__Request *message)
{
        for (size_t i = 0; i < message->n_operations; i++) {
                const struct rpc *rpc = rpc_find(message->operations[i]);

                if (rpc && rpc->begin)
                        return true;
        }
        return false;
}

static int handle_waiting(struct session *session, const Filemem__Request *message, size_t size)
{
        struct parked *parked;
        int r = parked_new(session, size, &parked);

        if (r < 0)
                return refuse(session, message->id, OUTCOME_DAEMON_FULL);
        session->parked = &parked->request;
        check(!run_operations(&parked->request)); /* may_wait() has seen one that waits */
        return 0;
}

int request_handle(struct session *session, const Filemem__Request *message, size_t size)
{
        struct server *server = session->server;
        struct request *request = &server->request;

        server->statistics.requests++;
        if (!message->n_operations)
                return refuse(session, message->id, OUTCOME_BATCH_EMPTY);
        if (message->n_operations > WIRE_OPERATIONS_MAX)
                return refuse(session, message->id, OUTCOME_BATCH_TOO_LONG);
        server->statistics.operations += message->n_operations;
        if (may_wait(message))
                return handle_waiting(session, message, size);
        arena_reset(&server->results);
        start(request, session, message, &server->results);
        check(run_operations(request));
        return answer(request);
}

/* ---- going on -------------------------------------------------------------------------------- */

void request_job_done(struct pool_job *job, int result)
{
        struct request *request = (void *)((char *)job - offsetof(struct request, job));
        struct server *server = request->session->server;

        request->job_result = result;
        inbox_post(&server->inbox, &request->item); /* from here on it is the loop's */
}

void request_receive(struct inbox_item *item)
{
        struct request *request = (void *)((char *)item - offsetof(struct request, item));
        struct session *session = request->session;
        int r = 0;

        /* Of a session that ended, the rest of the request matters to nobody. */
        if (!session->ended) {
                finish_operation(request);
                if (!run_operations(request))
                        return;
                r = answer(request);
        }
        parked_free((void *)((char *)request - offsetof(struct parked, request)));
        session_unpark(session, r);
}
