// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "server/request.h"
#include "server/state.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>

/* What one session may have done in one turn of the loop before the others have theirs. */
#define SESSION_TURN_MESSAGES   16
#define SESSION_TURN_OPERATIONS WIRE_OPERATIONS_MAX

/*
 * Who has got an answer mostly sends the next request after that: to look whether it is there
 * already would be in vain, and is left to the loop. But what came this soon (ns) after the last
 * turn was sent before its answers were read, and there may be more of it.
 */
#define SESSION_HURRY 2000

/* Until it has said Hello there is a time for that; but a peer is opened for who comes later.
 * Returns as event_add(). */
static int start_reading(struct session *session)
{
        uint64_t timeout = session->server->limits.options.hello_timeout;
        const struct timeval patience = {
                .tv_sec = (time_t)(timeout / NSEC_PER_SEC),
                .tv_usec = (suseconds_t)(timeout % NSEC_PER_SEC / 1000),
        };

        bool waits = session->greeted || session->parent || !timeout;

        return event_add(&session->readable, waits ? NULL : &patience);
}

/*
 * A session that is not read from does not notice that its client has gone, if the client has sent
 * its own end of the connection along: what nobody receives keeps it open. So a client has this
 * long to take an answer, whatever it has left in the queue.
 */
static const struct timeval session_patience = {.tv_sec = 60};

/* At the end of the daemon what outlives it waits for the next one. */
static bool is_paused(const struct session *session)
{
        return session->waits_for_store || (session->server->stopping && session->kept);
}

/* Reads only when nothing waits to be sent or to be done: what a client costs stays bounded. */
int session_choose_events(struct session *session)
{
        bool blocked = channel_blocked(&session->channel);
        int r = 0;

        if (blocked || session->parked || session->waiter.account || is_paused(session))
                r |= event_del(&session->readable);
        else if (!event_pending(&session->readable, EV_READ, NULL))
                r |= start_reading(session);
        /* While it waits nobody reads, and the end of the connection would not be seen. */
        if (!session->parked)
                r |= event_del(&session->hangup);
        else if (!event_pending(&session->hangup, EV_CLOSED, NULL))
                r |= event_add(&session->hangup, NULL);
        if (!blocked)
                r |= event_del(&session->writable);
        else if (!event_pending(&session->writable, EV_WRITE, NULL))
                r |= event_add(&session->writable, &session_patience);
        return r < 0 ? -ENOMEM : 0;
}

void session_resume_reading(struct session *session)
{
        if (session_choose_events(session) < 0)
                session_end(session, 0);
}

void session_wake(struct limits_waiter *waiter)
{
        session_resume_reading((void *)((char *)waiter - offsetof(struct session, waiter)));
}

static int take_turn(struct session *session, uint64_t now)
{
        bool hurries = now - session->rests_since < SESSION_HURRY;
        size_t operations = 0;

        for (int i = 0; i < SESSION_TURN_MESSAGES && operations < SESSION_TURN_OPERATIONS; i++) {
                size_t more = 0;
                int r;

                if (charge_wait(&session->charge, &session->waiter))
                        return session_choose_events(session);
                session->channel.sent = false;
                r = session_receive(session, &more);
                if (r == -EAGAIN)
                        return session->waits_for_store ? session_choose_events(session) : 0;
                if (r)
                        return r;
                if (channel_blocked(&session->channel) || session->parked)
                        return session_choose_events(session);
                if (session->channel.sent && !hurries)
                        return 0;
                operations += more;
        }
        return 0;
}

bool session_begin_turn(struct session *session, uint64_t *ret_now)
{
        if (!turns_take(&session->server->turns, &session->charge.accounts[LIMITS_USER]->share,
                    &session->mark))
                return false;
        *ret_now = session->server->clock = clock_now();
        return true;
}

void session_end_turn(struct session *session, uint64_t began_at)
{
        session->rests_since = clock_now();
        turns_spend(&session->charge.accounts[LIMITS_USER]->share, session->rests_since - began_at);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
        struct session *session = context;
        uint64_t now;
        int r;

        (void)fd;
        if (!session_begin_turn(session, &now))
                return; /* it stays readable */
        session->activity.active_at = now;
        /* Who is still to be told something is closed as if there were more. */
        if (what & EV_CLOSED && !session->farewell)
                channel_note_hangup(&session->channel);
        r = take_turn(session, now);
        session_end_turn(session, now);
        if (!r && what & EV_TIMEOUT && !session->greeted && !session->waiter.account)
                r = OUTCOME_HELLO_LATE;
        if (r)
                session_end(session, r > 0 || r == -ENOMEM ? r : 0);
        else
                charge_wake(&session->charge);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
        struct session *session = context;
        int r = what & EV_TIMEOUT ? -ETIMEDOUT : channel_flush(&session->channel);

        (void)fd;
        if (r == -ETIMEDOUT)
                log_event(LOG_SESSION_ENDED, session_about(session),
                        "ended session %llu (process %d, user %u): it took no answer for 60 s",
                        (unsigned long long)session->id, (int)session->pid, session->uid);
        if (!r)
                r = session_choose_events(session);
        if (r)
                session_end(session, 0);
}

/*
 * Nobody waits for the parked request any more, unless it is only the client's end for sending that
 * was closed. What else it sent is done all the same: others may see what came of it.
 */
static void on_hangup(evutil_socket_t fd, short what, void *context)
{
        struct pollfd end = {.fd = fd};
        struct session *session = context;

        (void)what;
        event_del(&session->hangup);
        if (poll(&end, 1, 0) == 1 && end.revents & (POLLHUP | POLLERR))
                request_cancel(session->parked);
}

static void on_death(evutil_socket_t fd, short what, void *context)
{
        struct session *session = context;

        (void)fd;
        (void)what;
        log_event(LOG_PROCESS_DIED, session_about(session), "session %llu: process %d died",
                (unsigned long long)session->id, (int)session->pid);
        session_end(session, 0);
}

int session_watch(struct session *session)
{
        struct event_base *base = session->server->base;
        int fd = session->channel.fd, r;

        r = event_assign(&session->readable, base, fd, EV_READ | EV_CLOSED | EV_PERSIST,
                on_readable, session);
        r |= event_assign(
                &session->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, session);
        r |= event_assign(&session->hangup, base, fd, EV_CLOSED | EV_PERSIST, on_hangup, session);
        r |= event_assign(&session->death, base, session->process, EV_READ, on_death, session);
        check(r == 0);
        if (session->process >= 0 && event_add(&session->death, NULL) < 0)
                return OUTCOME_DAEMON_FULL;
        if (start_reading(session) < 0) {
                event_del(&session->death);
                return OUTCOME_DAEMON_FULL;
        }
        return 0;
}
