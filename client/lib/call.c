// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include "arguments.h"
#include "deadline.h"
#include "exchange.h"
#include "proto/status.h"
#include "text.h"
#include "wait.h"

#include <errno.h>
#include <stdbool.h>

/* More messages than this without a break are left to the next call. */
#define DRAIN_MAX 1024

/* The caller holds the lock. What all calls begin with. */
static int check_session(filemem_session *session)
{
        return session->failure ? text_set(session, session->failure, session->failure_text) : 0;
}

static int time_out(filemem_session *session)
{
        return text_set(session, -ETIMEDOUT, "the daemon did not answer in time");
}

static int encode(
        filemem_session *session, struct request *request, const Filemem__Operation *operation)
{
        ssize_t end = frame_add(request->buffer, REQUEST_SIZE, FRAME_HEAD, operation);

        if (end < 0)
                return text_set(session, (int)end, "the request is too long");
        request->end = (size_t)end;
        return 0;
}

/* What an abandoned call has to know to give back what it got. */
static void note_operation(struct exchange *exchange, const Filemem__Operation *operation)
{
        exchange->operation = operation->body_case;
        if (operation->body_case == FILEMEM__OPERATION__BODY_INCREF)
                exchange->range =
                        (struct filemem_range){operation->incref->start, operation->incref->end};
}

/*
 * The caller holds the lock. Sends the operation and waits for the reply. When that fails the
 * exchange is not the caller's any more.
 */
static int carry_out(filemem_session *session, struct exchange *exchange,
        const Filemem__Operation *operation, uint64_t deadline)
{
        int r = check_session(session);

        if (r == 0)
                r = encode(session, &exchange->request, operation);
        if (r < 0) {
                exchange_put(session, exchange);
                return r;
        }
        note_operation(exchange, operation);
        request_append(session, &exchange->request, true);
        wait_send(session);
        if (wait_for(session, exchange, WANT_REPLY, 0, deadline) < 0) {
                exchange_abandon(session, exchange);
                return time_out(session);
        }
        r = exchange->error;
        if (r < 0) {
                text_set(session, r, exchange->text);
                exchange_put(session, exchange);
        }
        return r;
}

/* What the reply says as a whole and about its one operation. */
static int evaluate(filemem_session *session, const struct exchange *exchange,
        Filemem__Result__BodyCase body, Filemem__Result **ret)
{
        const Filemem__Reply *reply = exchange->message->decoded->reply;
        Filemem__Result *result;

        if (reply->status != FILEMEM__STATUS__STATUS_OK)
                return text_set(session, -status_to_errno(reply->status), reply->text);
        if (reply->n_results != 1)
                return text_set(session, -EPROTO, "the daemon's reply has another length");
        result = reply->results[0];
        if (result->status != FILEMEM__STATUS__STATUS_OK)
                return text_set(session, -status_to_errno(result->status), result->text);
        if (body != FILEMEM__RESULT__BODY__NOT_SET && result->body_case != body)
                return text_set(session, -EPROTO, "the daemon answered something else");
        *ret = result;
        return 0;
}

static int begin(filemem_session *session, const Filemem__Operation *operation,
        Filemem__Result__BodyCase body, struct exchange **ret, Filemem__Result **ret_result)
{
        uint64_t deadline = deadline_begin();
        struct exchange *exchange = exchange_enter(session);
        int r;

        if (!exchange)
                return text_set(session, -ENOMEM, "this process is out of memory");
        r = carry_out(session, exchange, operation, deadline);
        pthread_mutex_unlock(&session->lock);
        if (r < 0)
                return r;
        r = evaluate(session, exchange, body, ret_result);
        if (r < 0)
                call_end(session, exchange);
        else
                *ret = exchange;
        return r;
}

/* A thread that was cancelled while it led would leave the others without a leader. */
int call_begin(filemem_session *session, Filemem__Operation *operation,
        Filemem__Result__BodyCase body, struct exchange **ret, Filemem__Result **ret_result)
{
        int cancel, r;

        r = arguments_check_call(session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        r = begin(session, operation, body, ret, ret_result);
        pthread_setcancelstate(cancel, NULL);
        return r;
}

void call_end(filemem_session *session, struct exchange *exchange)
{
        exchange_drop_fd(exchange);
        pthread_mutex_lock(&session->lock);
        exchange_put(session, exchange);
        pthread_mutex_unlock(&session->lock);
}

int call_take(filemem_session *session, Filemem__Operation *operation,
        Filemem__Result__BodyCase body, call_take_fn *take, const void *data)
{
        struct exchange *exchange = NULL;
        Filemem__Result *result = NULL;
        int r = call_begin(session, operation, body, &exchange, &result);

        if (r < 0)
                return r;
        r = take(session, result, data);
        if (r == -EPROTO)
                text_set(session, r, "the daemon's list makes no sense");
        call_end(session, exchange);
        return r;
}

int call_simple(filemem_session *session, Filemem__Operation *operation)
{
        struct exchange *exchange = NULL;
        Filemem__Result *result;
        int r = call_begin(session, operation, FILEMEM__RESULT__BODY__NOT_SET, &exchange, &result);

        if (r == 0)
                call_end(session, exchange);
        return r;
}

/*
 * The caller holds the lock. One of the spare requests; when all are in use the daemon has many to
 * acknowledge.
 */
static int take_request(filemem_session *session, struct exchange *exchange, uint64_t deadline,
        struct request **ret)
{
        struct request *request;

        while (!(request = request_take(session))) {
                int r = wait_for(session, exchange, WANT_SPARE, 0, deadline);

                if (r == 0)
                        r = check_session(session);
                if (r < 0)
                        return r == -ETIMEDOUT ? time_out(session) : r;
        }
        *ret = request;
        return 0;
}

/* The caller holds the lock. Waits until the request is sent, which it may be already. */
static int see_sent(
        filemem_session *session, struct exchange *exchange, uint64_t id, uint64_t deadline)
{
        struct request *request;

        if (wait_for(session, exchange, WANT_SENT, id, deadline) == 0)
                return session->last_sent >= id ? 0 : check_session(session);
        request = request_find(session, id);
        if (!request || request->sent)
                return 0;
        request_remove(session, request);
        return time_out(session);
}

/* The caller holds the lock. */
static int send_silently(filemem_session *session, struct exchange *exchange,
        const Filemem__Operation *operation, uint64_t deadline)
{
        struct request *request = NULL;
        uint64_t id;
        int r = check_session(session);

        if (r == 0)
                r = take_request(session, exchange, deadline, &request);
        if (!request)
                return r;
        /* A range always fits. */
        (void)encode(session, request, operation);
        request_append(session, request, false);
        id = request->id;
        r = wait_send(session);
        /* The reason may have come before the end: whoever receives finds out. */
        if (r == -EPIPE && wait_for(session, exchange, WANT_END, 0, deadline) == 0)
                return check_session(session);
        r = see_sent(session, exchange, id, deadline);
        /* So that acknowledgements do not wait for the next call with an answer. */
        if (r == 0 && session->survives && session->silent == 0)
                wait_drain(session, exchange, DRAIN_MAX);
        return r;
}

int call_send(filemem_session *session, Filemem__Operation *operation)
{
        uint64_t deadline = deadline_begin();
        struct exchange *exchange;
        int cancel, r;

        r = arguments_check_call(session);
        if (r != 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        operation->no_reply = true;
        exchange = exchange_enter(session);
        if (exchange) {
                r = send_silently(session, exchange, operation, deadline);
                exchange_leave(session, exchange);
        } else {
                r = text_set(session, -ENOMEM, "this process is out of memory");
        }
        pthread_setcancelstate(cancel, NULL);
        return r;
}

int call_drain(filemem_session *session)
{
        struct exchange *exchange;
        int cancel, r;

        r = arguments_check_call(session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        exchange = exchange_enter(session);
        if (exchange) {
                wait_drain(session, exchange, DRAIN_MAX);
                r = session->failure;
                exchange_leave(session, exchange);
        } else {
                r = -ENOMEM;
        }
        pthread_setcancelstate(cancel, NULL);
        return r;
}
