// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include "channel.h"
#include "exchange.h"
#include "proto/wire.h"

#include <errno.h>

void request_init(filemem_session *session)
{
        TAILQ_INIT(&session->log);
        TAILQ_INIT(&session->spare);
}

struct request *request_take(filemem_session *session)
{
        struct request *request = TAILQ_FIRST(&session->spare);

        if (request) {
                TAILQ_REMOVE(&session->spare, request, link);
                return request;
        }
        /* Memory that was never used is not touched before it has to be. */
        if (session->spares_used == REQUESTS_SPARE)
                return NULL;
        request = &session->spares[session->spares_used].request;
        request->buffer = session->spares[session->spares_used].buffer;
        session->spares_used++;
        return request;
}

void request_append(filemem_session *session, struct request *request, bool replies)
{
        bool acknowledge = !replies && session->survives && ++session->silent == REQUEST_SILENT_MAX;

        request->id = ++session->last_id;
        request->replies = replies || acknowledge;
        request->sent = false;
        request->refused = 0;
        request->start = frame_close(request->buffer, request->end, request->id, acknowledge);
        if (request->replies)
                session->silent = 0;
        TAILQ_INSERT_TAIL(&session->log, request, link);
        if (!session->unsent)
                session->unsent = request;
}

void request_remove(filemem_session *session, struct request *request)
{
        if (session->unsent == request)
                session->unsent = TAILQ_NEXT(request, link);
        TAILQ_REMOVE(&session->log, request, link);
        if (!request->exchange)
                TAILQ_INSERT_HEAD(&session->spare, request, link);
        else
                exchange_retire(session, request->exchange);
}

static int send_resume(filemem_session *session)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Resume resume = FILEMEM__RESUME__INIT;
        uint8_t packet[16];
        int r;

        message.body_case = FILEMEM__TO_DAEMON__BODY_RESUME;
        message.resume = &resume;
        r = channel_send(session->socket, packet, filemem__to_daemon__pack(&message, packet));
        if (r == 0)
                session->resume = false;
        return r;
}

int request_send(filemem_session *session)
{
        if (session->resume) {
                int r = send_resume(session);

                if (r < 0)
                        return r;
        }
        while (session->unsent) {
                struct request *request = session->unsent;
                int r = channel_send(session->socket, request->buffer + request->start,
                        request->end - request->start);

                if (r < 0)
                        return r;
                request->sent = true;
                if (request->id > session->last_sent)
                        session->last_sent = request->id;
                session->unsent = TAILQ_NEXT(request, link);
                if (!request->replies && !session->survives)
                        request_remove(session, request);
        }
        return 0;
}

struct request *request_find(filemem_session *session, uint64_t id)
{
        struct request *request;

        TAILQ_FOREACH (request, &session->log, link)
                if (request->id >= id)
                        return request->id == id ? request : NULL;
        return NULL;
}

void request_answered(filemem_session *session, uint64_t id)
{
        struct request *request = TAILQ_FIRST(&session->log);

        while (request && request->id < id) {
                struct request *next = TAILQ_NEXT(request, link);

                if (!request->replies && request->sent)
                        request_remove(session, request);
                request = next;
        }
}

void request_resume(filemem_session *session)
{
        session->resume = true;
        session->unsent = TAILQ_FIRST(&session->log);
}
