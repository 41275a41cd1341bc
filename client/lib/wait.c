// SPDX-License-Identifier: Apache-2.0
#include "wait.h"

#include "channel.h"
#include "deadline.h"
#include "exchange.h"
#include "proto/busy_poll.h"
#include "queue.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

/*
 * How long a sender without room waits while another thread leads, in ms. That thread may stop, and
 * then somebody has to receive; nothing else can wake a sender.
 */
#define ROOM_TIMEOUT 10

/*
 * ns; see busy_poll.h. The long one is enough for a daemon that has to be woken, or that has a
 * batch to do; the short one for one that is awake and not busy with others.
 */
#define BUSY_POLL_LONG  100000
#define BUSY_POLL_SHORT 25000

static bool is_over(const filemem_session *session, const struct exchange *exchange)
{
        if (exchange->want == WANT_REPLY)
                return exchange->done;
        if (exchange->want == WANT_QUEUE)
                return queue_is_ready(exchange->queue, exchange->until);
        if (session->failure)
                return true;
        switch (exchange->want) {
        case WANT_SENT:
                return session->last_sent >= exchange->until;
        case WANT_SPARE:
                return !TAILQ_EMPTY(&session->spare);
        default:
                return false;
        }
}

static bool is_anything_unsent(const filemem_session *session)
{
        return session->unsent || session->resume;
}

int wait_send(filemem_session *session)
{
        int r = -EPIPE;

        while (!session->failure) {
                r = request_send(session);
                if (r == 0 || r == -EAGAIN || r == -EPIPE)
                        break;
                exchange_fail_unsent(session, r);
                r = -EPIPE;
        }
        queue_watch(session);
        return r;
}

/* What was received, or why nothing was, is given to whom it concerns. */
static void dispatch(filemem_session *session, struct exchange *mine, ssize_t n)
{
        if (n > 0)
                exchange_dispatch(session, mine);
        else if (n == 0)
                exchange_fail_all(session, -ECONNRESET, -ECONNRESET, "the daemon is gone");
        else if (n == -EPROTO)
                exchange_fail_all(
                        session, -EPROTO, -EPROTO, "the daemon sent a message that makes no sense");
        else
                exchange_fail_all(session, (int)n, (int)n, "receiving from the daemon failed");
}

/* One message, into the exchange's. As channel_receive(). No lock. */
static ssize_t receive(filemem_session *session, struct exchange *mine, int flags)
{
        struct message *message = mine->message;
        struct fdset fds = {.count = 0};
        ssize_t n =
                channel_receive(session->socket, message->packet, WIRE_MESSAGE_MAX, flags, &fds);

        if (n > 0) {
                int r;

                message->size = (size_t)n;
                r = exchange_decode(message, &fds);
                n = r < 0 ? r : n;
        }
        fdset_close(&fds);
        return n;
}

void wait_wake(filemem_session *session)
{
        struct exchange *exchange;

        TAILQ_FOREACH (exchange, &session->waiters, waiter)
                if (exchange->want != WANT_REPLY && is_over(session, exchange))
                        pthread_cond_signal(&exchange->wake);
}

/* A peer's socket came for a call that waits no longer: with it goes the peer. */
static void drop_unwanted(filemem_session *session, struct exchange *mine)
{
        pthread_mutex_unlock(&session->lock);
        exchange_drop_fd(mine);
        pthread_mutex_lock(&session->lock);
}

/* For a moment, and not beyond the deadline, what may come soon. As receive(), without sleeping. */
static ssize_t receive_soon(
        filemem_session *session, struct exchange *mine, unsigned rank, uint64_t deadline)
{
        struct busy_poll *poll = &session->busy_poll;
        bool longer = busy_poll_is_trial(poll, rank) || poll->is_late || mine->want == WANT_QUEUE;
        uint64_t moment = deadline_after(longer ? BUSY_POLL_LONG : BUSY_POLL_SHORT);
        uint64_t until = deadline_earlier(moment, deadline);
        ssize_t n;

        do
                n = receive(session, mine, MSG_DONTWAIT);
        while (n == -EAGAIN && !deadline_is_over(until));
        busy_poll_learn(poll, n != -EAGAIN);
        return n;
}

/*
 * Nobody leads. Waits until there is something to receive, or room for what is unsent, or until the
 * deadline, and takes one message. Returns whether one came.
 */
static bool lead(filemem_session *session, struct exchange *mine, bool may_wait, uint64_t deadline)
{
        bool unsent = is_anything_unsent(session);
        bool polls = may_wait && (unsent || deadline != DEADLINE_NONE);
        unsigned rank = busy_poll_rank(session->last_sent);
        ssize_t n = -EAGAIN;

        session->leading = true;
        pthread_mutex_unlock(&session->lock);
        if (may_wait && !unsent && busy_poll_is_worth_it(&session->busy_poll, rank))
                n = receive_soon(session, mine, rank, deadline);
        if (n == -EAGAIN && polls)
                channel_poll(session->socket, unsent ? POLLIN | POLLOUT : POLLIN,
                        deadline_timeout(deadline));
        if (n == -EAGAIN)
                n = receive(session, mine, may_wait && !polls ? 0 : MSG_DONTWAIT);
        pthread_mutex_lock(&session->lock);
        if (n != -EAGAIN)
                dispatch(session, mine, n);
        if (!mine->done && mine->message->fd >= 0)
                drop_unwanted(session, mine);
        session->leading = false;
        if (is_anything_unsent(session))
                wait_send(session);
        wait_wake(session);
        return n != -EAGAIN;
}

/*
 * Who leads cannot be woken but by a message. So one who may get what he wants from a thread that
 * calls back does not lead; and after the end there is nothing to receive.
 */
static bool may_lead(const filemem_session *session, const struct exchange *exchange)
{
        return !session->failure &&
               (exchange->want != WANT_QUEUE || !queue_is_delivering(exchange->queue));
}

/* If nobody leads and somebody waits he has to lead now. */
static void pass_leadership(filemem_session *session)
{
        struct exchange *next;

        if (session->leading)
                return;
        TAILQ_FOREACH (next, &session->waiters, waiter) {
                if (!may_lead(session, next))
                        continue;
                pthread_cond_signal(&next->wake);
                return;
        }
}

/* Somebody else leads, and may be waiting for a message alone. */
static void follow(filemem_session *session, struct exchange *exchange, uint64_t deadline)
{
        struct timespec time;

        if (is_anything_unsent(session)) {
                pthread_mutex_unlock(&session->lock);
                channel_poll(session->socket, POLLOUT, ROOM_TIMEOUT);
                pthread_mutex_lock(&session->lock);
                wait_send(session);
                return;
        }
        if (deadline == DEADLINE_NONE) {
                pthread_cond_wait(&exchange->wake, &session->lock);
                return;
        }
        time = deadline_timespec(deadline);
        pthread_cond_timedwait(&exchange->wake, &session->lock, &time);
}

int wait_for(filemem_session *session, struct exchange *exchange, enum want want, uint64_t until,
        uint64_t deadline)
{
        exchange->want = want;
        exchange->until = until;
        if (is_over(session, exchange))
                return 0;
        TAILQ_INSERT_TAIL(&session->waiters, exchange, waiter);
        while (!is_over(session, exchange) && !deadline_is_over(deadline)) {
                if (!session->leading && may_lead(session, exchange)) {
                        lead(session, exchange, true, deadline);
                        continue;
                }
                pass_leadership(session);
                follow(session, exchange, deadline);
        }
        TAILQ_REMOVE(&session->waiters, exchange, waiter);
        pass_leadership(session);
        return is_over(session, exchange) ? 0 : -ETIMEDOUT;
}

void wait_drain(filemem_session *session, struct exchange *exchange, unsigned max)
{
        for (unsigned i = 0; i < max && !session->failure && !session->leading; i++)
                if (!lead(session, exchange, false, DEADLINE_NONE))
                        break;
        pass_leadership(session);
}
