// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/arena.h"
#include "proto/wire.h"
#include "request.h"

/*
 * One request there, its reply back, for many threads on one socket and with no thread of our own.
 *
 * A thread appends its request to the session's log, sends what is unsent in there, and waits for
 * the reply. If no other thread receives it becomes the leader: it receives, hands each reply to
 * the exchange with its id and wakes that thread, until its own has come; then it wakes another
 * waiting one to lead. So a thread that waits long for the daemon never keeps the others from their
 * replies.
 *
 * A packet is sent without waiting. When there is no room a thread that finds no leader leads
 * itself until there is: a daemon that cannot get rid of its replies stops reading requests.
 */

/* What came, with the memory that it is decoded in. */
struct message {
        struct arena arena;
        size_t size;                /* of the packet */
        Filemem__ToClient *decoded; /* in the arena */
        int fd;                     /* that came with it; -1: none. Closed unless it is taken */
        uint8_t packet[WIRE_MESSAGE_MAX];
        _Alignas(max_align_t) unsigned char block[WIRE_ARENA_SIZE];
};

/* What a thread waits for. When the session has failed there is nothing to wait for. */
enum want {
        WANT_REPLY, /* to its request */
        WANT_SENT,  /* that the request of id `until` is sent */
        WANT_SPARE, /* a request that nobody waits for */
        WANT_END,   /* the failure of the session */
        WANT_QUEUE, /* something to deliver in `queue`, or at most `until` under way there */
};

/*
 * A request under way. Made by mmap(), because malloc() uses system calls that are not on our list,
 * used again by later calls, and freed with the session.
 */
struct exchange {
        struct exchange *older;       /* in session->exchanges */
        bool is_mapping;              /* of its own, not in the session's memory */
        TAILQ_ENTRY(exchange) link;   /* in idle, under the session's lock */
        TAILQ_ENTRY(exchange) waiter; /* in waiters; under the lock, as all that follows */
        enum want want;
        uint64_t until;
        filemem_queue *queue; /* that its thread waits for */
        struct batch *batch;  /* that it is part of: a queue's. NULL: a call's */
        bool done;
        bool abandoned;          /* its thread waits no longer */
        int error;               /* negative errno if there is no reply */
        struct message *message; /* the reply; the leader trades its own for it */
        pthread_cond_t wake;
        char text[SESSION_TEXT_MAX]; /* why there is no reply */
        Filemem__Operation__BodyCase operation;
        struct filemem_range range; /* of the operation, if it has one */
        struct request request;
        uint8_t buffer[REQUEST_SIZE]; /* of the request */
};

/*
 * The first part of filemem_open() and the last of filemem_close(): the session's guard, and
 * exchanges, of which there are none before the first call. Returns as fork_guard_init().
 */
int call_init(filemem_session *session);
void call_deinit(filemem_session *session);

/*
 * Carries one operation out. body: what the result has to have, FILEMEM__RESULT__BODY__NOT_SET for
 * nothing. Returns 0 and the result, which is valid until call_end(), or a negative errno with its
 * sentence set and nothing to end.
 */
int call_begin(filemem_session *session, Filemem__Operation *operation,
        Filemem__Result__BodyCase body, struct exchange **ret, Filemem__Result **ret_result);
void call_end(filemem_session *session, struct exchange *exchange);

/*
 * The same at once. take: what the call makes of the result; returns what the call does. -EPROTO:
 * the daemon's list is not what a list has to be.
 */
typedef int call_take_fn(
        const filemem_session *session, const Filemem__Result *result, const void *data);
int call_take(filemem_session *session, Filemem__Operation *operation,
        Filemem__Result__BodyCase body, call_take_fn *take, const void *data);

/* The same for an operation whose result has no body. */
int call_simple(filemem_session *session, Filemem__Operation *operation);

/* Sends an operation that is marked no_reply. Returns 0 when it is sent. */
int call_send(filemem_session *session, Filemem__Operation *operation);

/* Takes in what has come, without waiting. Returns 0, -ECHILD or the session's failure. */
int call_drain(filemem_session *session);
