// SPDX-License-Identifier: Apache-2.0
#include "server/request_parts.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/error.h"
#include "proto/status.h"
#include "server/once.h"
#include "server/rpc.h"
#include "server/state.h"

#include <string.h>

/* The envelope, the id and the status of a reply whose text is empty, and some to spare. */
#define REPLY_FRAME 64

_Static_assert(REPLY_FRAME + WIRE_OPERATIONS_MAX * WIRE_RESULT_MAX <= WIRE_MESSAGE_MAX,
        "a reply of small results fits into a message");

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

void request_keep(struct request *request, const struct rpc *rpc, const Filemem__Result *result,
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

/* ---- sending --------------------------------------------------------------------------------- */

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

int request_answer(struct request *request)
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

int request_refuse(struct session *session, uint64_t id, int outcome)
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
