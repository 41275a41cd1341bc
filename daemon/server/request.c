// SPDX-License-Identifier: Apache-2.0
#include "server/request.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "proto/status.h"
#include "server/once.h"
#include "server/rpc.h"
#include "server/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The envelope, the id and the status of a reply whose text is empty, and some to spare. */
#define REPLY_FRAME 64

_Static_assert(REPLY_FRAME + WIRE_OPERATIONS_MAX * WIRE_RESULT_MAX <= WIRE_MESSAGE_MAX,
        "a reply of small results fits into a message");

/*
 * A range of n pages has at most n entries, and each costs some ten nanoseconds. After this many
 * pages the clock is looked at, and after this long the other sessions have a turn.
 */
#define REQUEST_PAGES    4096
#define REQUEST_PATIENCE NSEC_PER_MSEC

/* A request that has to wait, with the memory that it was begun in: the server has got new. */
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

/* The sentence of a refusal: its own, or what the operation has to say. */
static char *choose_text(struct request *request, int r)
{
        char *own = request->sentence[0] ? arena_alloc(request->arena, sizeof(request->sentence))
                                         : NULL;

        if (!own)
                return (char *)(uintptr_t)error_text(r);
        strcpy(own, request->sentence);
        request->sentence[0] = 0;
        return own;
}

/* Of a limit that was reached: whose, and how much. */
static void explain(struct request *request, int r)
{
        struct session *session = request->session;
        char buffer[WIRE_TEXT_MAX + 1];
        const char *text;

        if (error_status(r) != EDQUOT)
                return;
        session_settle(session);
        text = charge_text(&session->charge, r, buffer);
        if (text == buffer)
                strcpy(request->sentence, text);
}

/* Takes a result into the reply, and takes from the room what it needs. */
static void keep_result(
        struct request *request, const struct rpc *rpc, const Filemem__Result *result, int r)
{
        Filemem__Result *kept = request->results[request->n_results++];
        size_t size = WIRE_RESULT_MAX;

        if (r) {
                kept->status = status_from_errno(error_status(r));
                kept->text = choose_text(request, r);
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
        const Filemem__Operation *operation = request->message->operations[request->index];
        bool wanted = !operation->no_reply;

        activity_note(&request->session->activity, operation, r);
        if (!LIST_EMPTY(&request->session->server->tracers))
                trace_note(request, operation, result, r);
        once_note(request, r);
        if (r || !wanted)
                request->arena->used = mark;
        statistics_note_operation(request, r);
        if (r)
                explain(request, r);
        if (wanted)
                keep_result(request, rpc, result, r);
        else
                keep_failure(request, r);
        request->sentence[0] = 0;
        request->from = 0;
        request->index++;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static struct parked *parked_free(struct parked *parked)
{
        if (!parked)
                return NULL;
        arena_deinit(&parked->results);
        arena_deinit(&parked->decode);
        free(parked);
        return NULL;
}

/* The server gets new arenas in place of those that the request is in. Returns 0 or -ENOMEM. */
static int take_arenas(struct server *server, struct parked *parked)
{
        struct arena decode = server->decode, results = server->results;

        if (arena_init(&server->decode, WIRE_ARENA_SIZE) < 0)
                return -ENOMEM;
        if (arena_init(&server->results, SERVER_RESULTS_SIZE) < 0) {
                arena_deinit(&server->decode);
                server->decode = decode;
                return -ENOMEM;
        }
        parked->decode = decode;
        parked->results = results;
        return 0;
}

/* Parks the request in its session, if it is not parked already. NULL when out of memory. */
static struct request *park(struct request *request)
{
        struct session *session = request->session;
        struct parked *parked;

        if (session->parked)
                return session->parked;
        parked = calloc(1, sizeof(*parked));
        if (!parked || take_arenas(session->server, parked) < 0) {
                free(parked);
                return NULL;
        }
        parked->request = *request;
        parked->request.arena = &parked->results;
        session->parked = &parked->request;
        charge_set(&session->charge, LIMIT_REQUESTS, 1); /* there was room when it was read */
        return session->parked;
}

/* Whether the operation that was just run has made it time for the others. */
static bool is_due(struct request *request, const Filemem__Operation *operation)
{
        uint64_t now;

        if (operation->body_case == FILEMEM__OPERATION__BODY_INCREF)
                request->pages += (operation->incref->end - operation->incref->start) >> 12;
        else if (operation->body_case == FILEMEM__OPERATION__BODY_DECREF)
                request->pages += (operation->decref->end - operation->decref->start) >> 12;
        if (request->pages < REQUEST_PAGES || request->index == request->message->n_operations)
                return false;
        request->pages = 0;
        now = clock_now();
        if (!request->began_at)
                request->began_at = now;
        return now - request->began_at > REQUEST_PATIENCE;
}

/* Goes on in a later turn of the loop. Where there is no memory for that it goes on at once. */
static bool yield(struct request **request)
{
        struct request *parked = park(*request);

        if (!parked)
                return false;
        *request = parked;
        parked->began_at = 0;
        parked->yielded = true;
        inbox_post(&parked->session->server->inbox, &parked->item);
        return true;
}

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
        struct request *parked = park(*request);

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

                if (!r && rpc->changes) {
                        if (once_recall(*request, operation, &result, &r)) {
                                keep(*request, rpc, &result, r, mark);
                                continue;
                        }
                        r = once_begin(*request);
                }
                if (!r && has_to_wait(*request, rpc, operation)) {
                        if (begin(request, rpc, operation))
                                return false;
                        r = OUTCOME_DAEMON_FULL;
                } else if (!r) {
                        r = rpc->run(*request, operation, &result);
                }
                if (r == REQUEST_AGAIN) {
                        if (yield(request))
                                return false;
                        continue;
                }
                keep(*request, rpc, &result, r, mark);
                if (is_due(*request, operation) && yield(request))
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

        keep(request, rpc, &result, r, mark);
}

/* Lets go of what it has beside memory. */
static void forget(struct request *request)
{
        request->asked = served_release(request->asked);
        request->fd = fd_close(request->fd);
}

/* ---- answering ------------------------------------------------------------------------------- */

/* fd: taken over, or -1. */
static int send_reply(struct session *session, Filemem__Reply *reply, int fd)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;

        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = reply;
        return fd < 0 ? session_send(session, &message, -1)
                      : session_hand_over(session, &message, fd);
}

static int send_failure(const struct request *request, const struct request_failure *failure)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Event event = FILEMEM__EVENT__INIT;
        char text[WIRE_TEXT_MAX + 1];

        event.request = request->message->id;
        event.operation = failure->operation;
        event.status = status_from_errno(error_status(failure->result));
        event.text =
                (char *)(uintptr_t)charge_text(&request->session->charge, failure->result, text);
        message.body_case = FILEMEM__TO_CLIENT__BODY_EVENT;
        message.event = &event;
        return session_send(request->session, &message, -1);
}

/* The reply, if any result is wanted; then the events. */
static int answer(struct request *request)
{
        int r = 0;

        crash_point();
        if (request->n_results || request->message->acknowledge) {
                Filemem__Reply reply = FILEMEM__REPLY__INIT;

                reply.id = request->message->id;
                reply.results = request->results;
                reply.n_results = request->n_results;
                r = send_reply(request->session, &reply, steal_fd(&request->fd));
        }
        crash_point();
        for (size_t i = 0; i < request->n_failures && r == 0; i++) {
                r = send_failure(request, &request->failures[i]);
                crash_point();
        }
        request->session->answered = request->message->id;
        statistics_note_request(request);
        return r;
}

/* Nothing of the request is done. */
static int refuse(struct session *session, uint64_t id, int outcome)
{
        Filemem__Reply reply = FILEMEM__REPLY__INIT;

        session->server->statistics.refusals++;
        statistics_note_refusal(&session->server->statistics, outcome);
        session->answered = id;
        reply.id = id;
        reply.status = status_from_errno(error_status(outcome));
        reply.text = (char *)(uintptr_t)error_text(outcome);
        return send_reply(session, &reply, -1);
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
                return refuse(session, message->id, OUTCOME_BATCH_EMPTY);
        if (message->n_operations > WIRE_OPERATIONS_MAX)
                return refuse(session, message->id, OUTCOME_BATCH_TOO_LONG);
        server->statistics.operations += message->n_operations;
        arena_reset(&server->results);
        start(request, session, message, &server->results);
        return work(&request) ? answer(request) : 0;
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
                r = answer(request);
                session_end_turn(session, now);
        }
        forget(request);
        parked_free((void *)((char *)request - offsetof(struct parked, request)));
        session_unpark(session, r);
}
