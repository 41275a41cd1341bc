// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include "arguments.h"
#include "channel.h"
#include "exchange.h"
#include "proto/status.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/*
 * How long a sender without room waits while another thread leads, in ms. That thread may stop, and
 * then somebody has to receive; nothing else can wake a sender.
 */
#define ROOM_TIMEOUT 10

/* More messages than this without a break are left to the next call. */
#define DRAIN_MAX 1024

/*
 * The caller holds the lock and nobody leads. Receives one message, without the lock, and gives it
 * to whom it concerns. Returns whether something came.
 */
static bool lead(filemem_session *session, struct exchange *mine, int flags)
{
        struct message *message = mine->message;
        struct fdset fds = {.count = 0};
        ssize_t n;

        session->leading = true;
        pthread_mutex_unlock(&session->lock);
        n = channel_receive(session->socket, message->packet, flags, &fds);
        if (n > 0) {
                message->size = (size_t)n;
                n = exchange_decode(message, &fds);
                n = n < 0 ? n : 1;
        }
        fdset_close(&fds);
        pthread_mutex_lock(&session->lock);
        session->leading = false;

        if (n == -EAGAIN)
                return false;
        if (n > 0)
                exchange_dispatch(session, mine);
        else if (n == 0)
                exchange_fail_all(session, -ECONNRESET, -ECONNRESET, "the daemon is gone");
        else if (n == -EPROTO)
                exchange_fail_all(
                        session, -EPROTO, -EPROTO, "the daemon sent a message that makes no sense");
        else
                exchange_fail_all(session, (int)n, (int)n, "receiving from the daemon failed");
        return true;
}

/* The caller holds the lock and leads no more. If somebody waits he has to lead now. */
static void pass_leadership(filemem_session *session)
{
        struct exchange *exchange;

        if (session->leading)
                return;
        TAILQ_FOREACH (exchange, &session->pending, link) {
                if (!exchange->waiting)
                        continue;
                pthread_cond_signal(&exchange->wake);
                return;
        }
}

/* Waits until the exchange is done. */
static void wait_done(filemem_session *session, struct exchange *exchange)
{
        pthread_mutex_lock(&session->lock);
        exchange->waiting = true;
        while (!exchange->done) {
                if (session->leading)
                        pthread_cond_wait(&exchange->wake, &session->lock);
                else
                        lead(session, exchange, 0);
        }
        exchange->waiting = false;
        pass_leadership(session);
        pthread_mutex_unlock(&session->lock);
}

/*
 * There is no room to send: waits until there may be some, and sees to it that there can be.
 * Returns whether the exchange is done already, which means that the session failed.
 */
static bool make_room(filemem_session *session, struct exchange *exchange)
{
        bool done;

        pthread_mutex_lock(&session->lock);
        if (session->leading) {
                pthread_mutex_unlock(&session->lock);
                channel_poll(session->socket, POLLOUT, ROOM_TIMEOUT);
                pthread_mutex_lock(&session->lock);
        } else {
                session->leading = true;
                pthread_mutex_unlock(&session->lock);
                channel_poll(session->socket, POLLIN | POLLOUT, -1);
                pthread_mutex_lock(&session->lock);
                session->leading = false;
                lead(session, exchange, MSG_DONTWAIT);
                pass_leadership(session);
        }
        done = exchange->done;
        pthread_mutex_unlock(&session->lock);
        return done;
}

static int encode(struct exchange *exchange, Filemem__Operation *operation)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;
        ssize_t size;

        request.id = exchange->id;
        request.n_operations = 1;
        request.operations = &operation;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        /* By way of the packet, which has the room that encoding asks for. */
        size = wire_encode_to_daemon(&message, exchange->message->packet);
        if (size < 0 || (size_t)size > sizeof(exchange->request))
                return -EMSGSIZE;
        memcpy(exchange->request, exchange->message->packet, (size_t)size);
        exchange->request_size = (size_t)size;
        return 0;
}

/* From now on a reply can be for it, and it ends with the session. */
static int enlist(filemem_session *session, struct exchange *exchange)
{
        int r;

        pthread_mutex_lock(&session->lock);
        r = session->failure;
        if (r < 0)
                text_copy(exchange->text, sizeof(exchange->text), session->failure_text);
        else
                TAILQ_INSERT_TAIL(&session->pending, exchange, link);
        pthread_mutex_unlock(&session->lock);
        return r;
}

/* Nobody waits for it any more. Returns whether it was done before. */
static bool delist(filemem_session *session, struct exchange *exchange)
{
        bool done;

        pthread_mutex_lock(&session->lock);
        done = exchange->done;
        if (!done)
                TAILQ_REMOVE(&session->pending, exchange, link);
        pthread_mutex_unlock(&session->lock);
        return done;
}

/* Sends, however long it takes, unless the session ends before. */
static int send_request(filemem_session *session, struct exchange *exchange)
{
        int r;

        while ((r = channel_send(session->socket, exchange->request, exchange->request_size)) ==
                -EAGAIN)
                if (make_room(session, exchange))
                        return -EPIPE;
        return r;
}

/* Encodes and sends. Returns 0 with the exchange pending, or a negative errno and it is not. */
static int submit(
        filemem_session *session, struct exchange *exchange, Filemem__Operation *operation)
{
        int r = encode(exchange, operation);

        if (r < 0)
                return r;
        r = enlist(session, exchange);
        if (r < 0)
                return r;
        r = send_request(session, exchange);
        if (r == -EPIPE) {
                /* The reason may have come before the end: whoever receives finds out. */
                wait_done(session, exchange);
                return exchange->error ? exchange->error : -EPROTO;
        }
        if (r < 0 && delist(session, exchange))
                return exchange->error ? exchange->error : -EPROTO;
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

static int begin(filemem_session *session, Filemem__Operation *operation,
        Filemem__Result__BodyCase body, struct exchange **ret, Filemem__Result **ret_result)
{
        struct exchange *exchange = exchange_get(session);
        int r;

        if (!exchange) {
                text_set(session, -ENOMEM, "this process is out of memory");
                return -ENOMEM;
        }
        r = submit(session, exchange, operation);
        if (r == 0) {
                wait_done(session, exchange);
                r = exchange->error;
        }
        if (r < 0)
                text_set(session, r, exchange->text[0] ? exchange->text : "sending failed");
        else
                r = evaluate(session, exchange, body, ret_result);
        if (r < 0)
                exchange_put(session, exchange);
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
        exchange_put(session, exchange);
}

int call_simple(filemem_session *session, Filemem__Operation *operation)
{
        struct exchange *exchange;
        Filemem__Result *result;
        int r = call_begin(session, operation, FILEMEM__RESULT__BODY__NOT_SET, &exchange, &result);

        if (r == 0)
                call_end(session, exchange);
        return r;
}

static int send_only(filemem_session *session, Filemem__Operation *operation)
{
        struct exchange *exchange = exchange_get(session);
        int r;

        if (!exchange) {
                text_set(session, -ENOMEM, "this process is out of memory");
                return -ENOMEM;
        }
        r = submit(session, exchange, operation);
        if (r == 0)
                /* If the session failed meanwhile, that is for the next call to say. */
                delist(session, exchange);
        else
                text_set(session, r, exchange->text[0] ? exchange->text : "sending failed");
        exchange_put(session, exchange);
        return r;
}

int call_send(filemem_session *session, Filemem__Operation *operation)
{
        int cancel, r;

        r = arguments_check_call(session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        operation->no_reply = true;
        r = send_only(session, operation);
        pthread_setcancelstate(cancel, NULL);
        return r;
}

static int drain(filemem_session *session)
{
        struct exchange *exchange = exchange_get(session);
        int r;

        if (!exchange)
                return -ENOMEM;
        pthread_mutex_lock(&session->lock);
        for (unsigned i = 0; i < DRAIN_MAX && !session->failure && !session->leading; i++)
                if (!lead(session, exchange, MSG_DONTWAIT))
                        break;
        pass_leadership(session);
        r = session->failure;
        pthread_mutex_unlock(&session->lock);
        exchange_put(session, exchange);
        return r;
}

int call_drain(filemem_session *session)
{
        int cancel, r;

        r = arguments_check_call(session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        r = drain(session);
        pthread_setcancelstate(cancel, NULL);
        return r;
}
