// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "proto/wire.h"
#include "server/channel.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct request;
struct server;

/*
 * One connection. Its life:
 *
 *   1. session_new(): connected. Who it is has been asked of the kernel. The one message that it
 * may send now is Hello.
 *   2. session_open(): greeted. It has a holder and is listed. It sends requests, at most
 *      SESSION_TURN_MESSAGES of which are answered in a turn of the loop.
 *   3. It is not read from while answers wait to be sent (the channel is blocked) or while a
 * request is parked: waits for another thread.
 *   4. session_end(): the client hung up, its process died, it broke the protocol, or the daemon
 *      stops. The connection is closed at once. The holder, and with it all that it holds, goes
 * too, but not before a parked request is through.
 */
struct session {
        struct server *server;
        TAILQ_ENTRY(session) link;
        struct channel channel;
        struct event readable;
        struct event writable;
        struct event death; /* of the process that connected */
        int process;        /* pidfd; -1 before Linux 6.5 */
        uint64_t id;
        pid_t pid;
        uid_t uid;
        gid_t gid;
        uint64_t opened_at; /* clock_now() */
        uint64_t requests;
        struct holder *holder; /* NULL before Hello */
        struct request *parked;
        bool ended; /* waits for the parked request only */
        char label[WIRE_LABEL_MAX + 1];
};

TAILQ_HEAD(session_list, session);

/* Takes over a connected, non-blocking socket, which gets a Goodbye if there can be no session. */
void session_new(struct server *server, int fd);

/* Hello was right: the session gets its holder and its label. Returns 0 or -ENOMEM. */
int session_open(struct session *session, const char *label);

/* Sends a message. Returns 0 or a negative errno, after which the session has to be ended. */
int session_send(struct session *session, const Filemem__ToClient *message, int fd);

/* The parked request is through: goes on reading, or frees a session that ended meanwhile. */
void session_unpark(struct session *session, int result);

/* Answers what was sent already, then ends. */
void session_drain(struct session *session);

/*
 * Ends the session and forgets it. result: an outcome or an errno that the client is told of and
 * that counts as its fault; 0 if it just went, or is not to blame.
 */
void session_end(struct session *session, int result);

/* Frees what session_end() left because of a parked request that is no more. */
void session_free(struct session *session);
