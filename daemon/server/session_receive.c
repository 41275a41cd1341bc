// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/crash.h"
#include "base/error.h"
#include "server/greeting.h"
#include "server/request.h"
#include "server/state.h"

#include <errno.h>

static int handle_request(struct session *session, const Filemem__Request *request)
{
        server_note_rank(session->server, request->id);
        if (!session->greeted)
                return OUTCOME_HELLO_MISSING;
        if (session->kept && request->id <= session->answered)
                return 0; /* it was sent again, and is done */
        session->requests++;
        return request_handle(session, request);
}

static int receive_packet(struct session *session, size_t *ret_size)
{
        struct server *server = session->server;

        return channel_receive(
                &session->channel, server_is_careful(server), server->input, ret_size);
}

/*
 * A Hello stays where it is until it is answered: so it can be answered later, when the store takes
 * more; and a peer's, which may come before and after the daemon is started again, is not lost.
 */
static int receive_hello(struct session *session, size_t *ret_size, bool *ret_stays)
{
        int r = 1;

        if (session->server->survival.store)
                r = channel_peek(&session->channel, session->server->input, ret_size);
        *ret_stays = r == 0;
        return r > 0 ? receive_packet(session, ret_size) : r;
}

/* Whether it is the one that says Hello again, because it may not have got its Welcome. */
static bool is_unsure(const struct session *session)
{
        return session->kept && session->opened_at < session->server->started_at &&
               !session->answered && !session->once && !session->requests;
}

static int handle_hello(struct session *session, const Filemem__Hello *hello, bool stays)
{
        size_t size;
        int r;

        if (session->greeted)
                return is_unsure(session) ? greeting_repeat(session) : OUTCOME_HELLO_TWICE;
        r = greeting_answer(session, hello);
        if (r == 0 && stays)
                r = receive_packet(session, &size);
        crash_point();
        if (r == -EAGAIN)
                survival_wait(session);
        return r;
}

/* What was sent to the daemon before this one, or is sent before the client knows. */
static int discard_message(struct session *session)
{
        struct server *server = session->server;
        Filemem__ToDaemon *message;
        size_t size;
        int r = receive_packet(session, &size);

        if (r)
                return r > 0 ? 0 : r;
        arena_reset(&server->decode);
        if (wire_decode_to_daemon(&server->decode, server->input, size, &message) == 0 &&
                message->body_case == FILEMEM__TO_DAEMON__BODY_RESUME)
                session->resuming = false;
        return 0;
}

int session_receive(struct session *session, size_t *ret_operations)
{
        struct server *server = session->server;
        Filemem__ToDaemon *message;
        bool stays = false;
        size_t size;
        int r;

        server->arrivals++;
        if (session->resuming)
                return discard_message(session);
        r = session->greeted ? receive_packet(session, &size)
                             : receive_hello(session, &size, &stays);
        if (r)
                return r;
        crash_point();
        arena_reset(&server->decode);
        if (wire_decode_to_daemon(&server->decode, server->input, size, &message) < 0)
                return OUTCOME_MESSAGE_MALFORMED;
        switch (message->body_case) {
        case FILEMEM__TO_DAEMON__BODY_HELLO:
                *ret_operations = 1;
                return handle_hello(session, message->hello, stays);
        case FILEMEM__TO_DAEMON__BODY_REQUEST:
                *ret_operations = message->request->n_operations;
                return handle_request(session, message->request);
        case FILEMEM__TO_DAEMON__BODY_RESUME:
                return session->kept ? 0 : OUTCOME_MESSAGE_EMPTY;
        default:
                return OUTCOME_MESSAGE_EMPTY;
        }
}
