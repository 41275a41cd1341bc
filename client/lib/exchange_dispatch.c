// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "exchange.h"
#include "proto/status.h"
#include "queue.h"
#include "text.h"
#include "wait.h"

#include <errno.h>

/* Its request is out of the log, and its thread is told. */
static void finish(filemem_session *session, struct exchange *exchange)
{
        request_remove(session, &exchange->request);
        exchange->done = true;
        if (exchange->batch)
                queue_complete(exchange->batch);
        else
                pthread_cond_signal(&exchange->wake);
}

/* A batch of releases: nobody waits for what becomes of it. */
static bool is_silent(const struct exchange *exchange)
{
        return exchange->batch && !exchange->batch->results;
}

static void fail(filemem_session *session, struct request *request, int error, const char *text)
{
        struct exchange *exchange = request->exchange;

        if (!exchange || exchange->abandoned || is_silent(exchange)) {
                request_remove(session, request);
                return;
        }
        exchange->error = error;
        text_copy(exchange->text, sizeof(exchange->text), text);
        finish(session, exchange);
}

void exchange_fail_all(filemem_session *session, int error, int later, const char *text)
{
        struct request *request;

        if (!session->failure) {
                session->failure = later;
                text_copy(session->failure_text, sizeof(session->failure_text), text);
        }
        while ((request = TAILQ_FIRST(&session->log)))
                fail(session, request, error, text);
        session->resume = false;
        wait_wake(session);
        queue_watch(session);
}

static void count_lost(filemem_session *session, int error, const char *text)
{
        session->lost_errors++;
        session->lost_error = error;
        text_copy(session->lost_text, sizeof(session->lost_text), text);
        queue_notify_lost(session);
}

void exchange_fail_unsent(filemem_session *session, int error)
{
        struct request *request = session->unsent;

        /* What the daemon may know already cannot be left out. */
        if (!request || request->sent) {
                exchange_fail_all(session, error, error, "sending failed");
                return;
        }
        if (!request->exchange || is_silent(request->exchange))
                count_lost(session, error, "sending failed");
        /* Whoever waits until it is sent has waited long enough. */
        if (request->id > session->last_sent)
                session->last_sent = request->id;
        fail(session, request, error, "sending failed");
}

/* A reply that nobody waits for: to a request that has no result, or to none at all. */
static void dispatch_receipt(filemem_session *session, const Filemem__Reply *reply)
{
        if (reply->id == 0 || reply->id > session->last_id || reply->n_results > 0)
                exchange_fail_all(session, -EPROTO, -EPROTO,
                        "the daemon answered a request that was not made");
        else if (reply->status != FILEMEM__STATUS__STATUS_OK)
                count_lost(session, -status_to_errno(reply->status), reply->text);
}

/* What a request gave us that nobody waits for any more. Returns whether there is something. */
static bool is_given(const filemem_session *session, const struct exchange *exchange,
        const Filemem__Reply *reply, struct filemem_range *ret)
{
        const Filemem__Result *result;

        if (reply->status != FILEMEM__STATUS__STATUS_OK || reply->n_results != 1)
                return false;
        result = reply->results[0];
        if (result->status != FILEMEM__STATUS__STATUS_OK)
                return false;
        if (exchange->operation == FILEMEM__OPERATION__BODY_INCREF) {
                *ret = exchange->range;
                return true;
        }
        if (exchange->operation != FILEMEM__OPERATION__BODY_ALLOCATE ||
                result->body_case != FILEMEM__RESULT__BODY_ALLOCATED)
                return false;
        *ret = (struct filemem_range){result->allocated->start, result->allocated->end};
        return arguments_is_range(session, ret->start, ret->end);
}

size_t exchange_encode_release(uint8_t *buffer, size_t size, size_t end, struct filemem_range range)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Range body = FILEMEM__RANGE__INIT;

        body.start = range.start;
        body.end = range.end;
        operation.no_reply = true;
        operation.body_case = FILEMEM__OPERATION__BODY_DECREF;
        operation.decref = &body;
        return (size_t)frame_add(buffer, size, end, &operation);
}

/* The exchange that nobody waits for carries what undoes it: that needs no memory. */
static void give_back(
        filemem_session *session, struct exchange *exchange, struct filemem_range range)
{
        struct request *request = &exchange->request;

        exchange->operation = FILEMEM__OPERATION__BODY__NOT_SET;
        exchange->abandoned = false;
        request_remove(session, request);
        exchange->abandoned = true;
        request->end = exchange_encode_release(request->buffer, REQUEST_SIZE, FRAME_HEAD, range);
        request_append(session, request, false);
        wait_send(session);
}

static void dispatch_reply(filemem_session *session, struct exchange *mine)
{
        struct message *message = mine->message;
        const Filemem__Reply *reply = message->decoded->reply;
        struct request *request = request_find(session, reply->id);
        struct exchange *owner = request ? request->exchange : NULL;
        struct filemem_range range;

        request_answered(session, reply->id);
        if (!owner || is_silent(owner)) {
                dispatch_receipt(session, reply);
                if (request && !session->failure)
                        request_remove(session, request);
        } else if (!owner->abandoned) {
                mine->message = owner->message;
                owner->message = message;
                finish(session, owner);
        } else if (owner->batch) {
                batch_give_back_late(session, owner->batch, reply);
        } else if (is_given(session, owner, reply, &range)) {
                give_back(session, owner, range);
        } else {
                request_remove(session, request);
        }
}

static void dispatch_event(filemem_session *session, const Filemem__Event *event)
{
        struct request *request = request_find(session, event->request);

        /* A daemon that was started again tells again what it had told. */
        if (request && event->operation < request->refused)
                return;
        if (request)
                request->refused = event->operation + 1;
        count_lost(session, -status_to_errno(event->status), event->text);
}

static void dispatch_goodbye(filemem_session *session, const Filemem__Goodbye *goodbye)
{
        int error = -status_to_errno(goodbye->status);
        const char *text = goodbye->text[0] ? goodbye->text : "the daemon ended the session";

        exchange_fail_all(session, error ? error : -ECONNRESET, -ECONNRESET, text);
}

static void dispatch_resumed(filemem_session *session)
{
        if (session->survives)
                request_resume(session);
        else
                exchange_fail_all(session, -EPROTO, -EPROTO,
                        "the daemon resumed a session that does not survive it");
}

void exchange_dispatch(filemem_session *session, struct exchange *mine)
{
        const Filemem__ToClient *decoded = mine->message->decoded;

        switch (decoded->body_case) {
        case FILEMEM__TO_CLIENT__BODY_REPLY:
                dispatch_reply(session, mine);
                break;
        case FILEMEM__TO_CLIENT__BODY_EVENT:
                dispatch_event(session, decoded->event);
                break;
        case FILEMEM__TO_CLIENT__BODY_GOODBYE:
                dispatch_goodbye(session, decoded->goodbye);
                break;
        case FILEMEM__TO_CLIENT__BODY_RESUMED:
                dispatch_resumed(session);
                break;
        case FILEMEM__TO_CLIENT__BODY_WELCOME:
                exchange_fail_all(session, -EPROTO, -EPROTO, "the daemon said Welcome twice");
                break;
        default:
                /* What a later daemon says unasked. */
                break;
        }
}
