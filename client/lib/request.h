// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/frame.h"
#include "session.h"

#define REQUEST_SIZE (FRAME_HEAD + 128u) /* bytes: one operation, every number at its maximum */

/*
 * How many requests that nobody waits for are kept at most, sent or not. With the daemon asked for
 * an acknowledgement of every 32nd that is far more than are under way, unless it is being started
 * again: then who releases waits too.
 */
#define REQUESTS_SPARE 1024

#define REQUEST_SILENT_MAX 32 /* requests without a reply, the last of which is acknowledged */

/*
 * A request to the daemon, encoded, which is kept until it is known to be done: when its reply has
 * come, or without one, when the reply to a later one has. All that are kept are in the session's
 * log, in the order of their ids, which is the order in which they are sent; `unsent` is the first
 * that still has to be. When a daemon was started again all of them are sent again, the same bytes:
 * that is the same as if none had been.
 *
 * Where the session does not survive the daemon, what has no reply is done when it is sent.
 *
 * The caller of all functions holds the session's lock.
 */
struct request {
        TAILQ_ENTRY(request) link; /* in the log, or the spare ones */
        uint64_t id;
        struct exchange *exchange; /* that it is part of; NULL: one of the spare ones */
        bool replies;              /* there will be a reply */
        bool sent;                 /* once at least */
        uint32_t refused;          /* so many of its operations are known to be done, by events */
        size_t start;              /* of the message in `buffer` */
        size_t end;
        uint8_t *buffer;
};

/* A spare one, with a buffer of REQUEST_SIZE bytes, with operations up to `end`. */
struct request_spare {
        struct request request;
        uint8_t buffer[REQUEST_SIZE];
};

void request_init(filemem_session *session);

/*
 * One that nobody waits for, to be filled; NULL if all are in use. The caller is in an exchange:
 * with the first one there is memory for the spare ones.
 */
struct request *request_take(filemem_session *session);

/*
 * Gives a filled request its id and its place in the log. replies: one of its operations has a
 * result.
 */
void request_append(filemem_session *session, struct request *request, bool replies);

/*
 * Takes it out of the log: it is done, or was never sent. A spare one is spare again, and an
 * exchange that was abandoned is idle.
 */
void request_remove(filemem_session *session, struct request *request);

/*
 * Sends what is to be sent. Returns 0; -EAGAIN if there is no room; -EPIPE if the daemon is gone
 * (why may still be to be received); or another negative errno, and then the first one that is
 * unsent cannot be sent.
 */
int request_send(filemem_session *session);

/* In the log, or NULL. */
struct request *request_find(filemem_session *session, uint64_t id);

/* A reply with that id has come: what has none and was sent before is done. */
void request_answered(filemem_session *session, uint64_t id);

/* The daemon was started again: all that is kept is to be sent again. */
void request_resume(filemem_session *session);
