// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "server/goodbye.h"
#include "server/request.h"
#include "server/state.h"

#include <event2/event.h>
#include <stdlib.h>

/* Repays what it costs; the pool may be gone with that. */
static void finish(struct session *session)
{
        charge_repay(&session->peer);
        charge_repay(&session->charge);
        session->served = served_release(session->served);
        free(session->applied);
        free(session);
}

/* On the reclaim thread, under the pool's lock. */
static void on_released(void *context)
{
        struct session *session = context;

        inbox_post(&session->server->departures, &session->departed);
}

void session_depart(struct inbox_item *item)
{
        struct session *session = (void *)((char *)item - offsetof(struct session, departed));

        TAILQ_REMOVE(&session->server->departed, session, link);
        finish(session);
}

void session_leave(struct session *session)
{
        slots_drop(&session->server->views.sessions, session->place);
        if (session->served)
                session->served->sessions--;
        if (session->holder && !holder_release(session->holder, on_released, session)) {
                TAILQ_INSERT_TAIL(&session->server->departed, session, link);
                return;
        }
        finish(session);
}

void session_free(struct session *session)
{
        struct server *server = session->server;

        check(session->ended && !session->parked);
        if (session->greeted)
                server->open_sessions--;
        server_forget_session(server, session);
        session_leave(session);
}

void session_unpark(struct session *session, int result)
{
        session->parked = NULL;
        charge_set(&session->charge, LIMIT_REQUESTS, 0);
        charge_wake(&session->charge);
        if (session->ended) {
                session_free(session);
                return;
        }
        if (!result)
                result = session_choose_events(session);
        if (result)
                session_end(session, result > 0 ? result : 0);
}

static void blame(struct session *session, int result)
{
        char text[WIRE_TEXT_MAX + 1];

        if (error_status(result) != ENOMEM) /* that is our own fault */
                session->server->statistics.protocol_errors++;
        statistics_note_refusal(&session->server->statistics, result);
        log_event(LOG_SESSION_ENDED, session_about(session),
                "ended session %llu (process %d, user %u): %s", (unsigned long long)session->id,
                (int)session->pid, session->uid, charge_text(&session->charge, result, text));
        goodbye_send(&session->channel, result);
}

void session_end(struct session *session, int result)
{
        check(!session->ended);
        session->ended = true;
        survival_stop_waiting(session);
        session->channel.shared = session->stored;
        if (session->stored)
                survival_drop_session(session->server, session->id);
        session_set_kept(session, false);
        session->stored = false;
        event_del(&session->readable);
        event_del(&session->writable);
        event_del(&session->hangup);
        event_del(&session->death);
        limits_stop_waiting(&session->waiter);
        charge_wake(&session->charge);
        views_close(session);
        trace_close(session);
        if (result)
                blame(session, result);
        else if (session->farewell)
                goodbye_send(&session->channel, session->farewell);
        channel_close(&session->channel);
        session->process = fd_close(session->process);
        if (session->parked)
                request_cancel(session->parked);
        else
                session_free(session);
}

void session_drain(struct session *session)
{
        channel_drain(&session->channel);
}

void session_expel(struct session *session, int outcome)
{
        session->farewell = outcome;
        session_end(session, 0);
}

void session_dismiss(struct session *session, int outcome)
{
        session->farewell = outcome;
        session_drain(session);
}
