// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.h"
#include "memory/pool.h"
#include "proto/wire.h"
#include "server/activity.h"
#include "server/channel.h"
#include "server/inbox.h"
#include "server/limits.h"
#include "server/statistics.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct once_results;
struct request;
struct served;
struct tracer;
struct server;
struct view;

/*
 * One connection. Its life:
 *
 *   1. session_new(): connected. Who it is has been asked of the kernel, and it is charged to that
 *      user. The one message that it may send now is Hello, and it has to be in time.
 *   2. session_open(): greeted, and in a pool with a holder unless it wanted none. It sends
 * requests, at most SESSION_TURN_MESSAGES of which are answered in a turn of the loop.
 *   3. It is not read from while answers wait to be sent (the channel is blocked), while a request
 *      is parked: waits for another thread, or while as many are as there may be.
 *   4. session_end(): the client hung up, its process died, it broke the protocol, an administrator
 *      ended it, or the daemon stops. The connection is closed at once. The holder, and with it all
 * that it holds, goes too, but not before a parked request is through. Where that takes a while the
 * session has departed: nobody sees it, but what it costs stays charged until all is released.
 *
 * A peer is a session that another one opened: it begins in the pool of that one, with a holder,
 * and says Hello when somebody uses the socket. Nobody knows who that will be: it has no process
 * and is nobody's identity, though it counts as a session of the user that opened it.
 */
struct session {
        struct server *server;
        TAILQ_ENTRY(session) link;
        struct channel channel;
        struct event readable;
        struct event writable;
        struct event hangup; /* while a request is parked */
        struct event death;  /* of the process that connected */
        int process;         /* pidfd; -1 before Linux 6.5 */
        uint64_t id;
        pid_t pid;
        uid_t uid;
        gid_t gid;
        uint64_t opened_at; /* clock_now() */
        uint64_t requests;
        struct activity activity;
        struct tracer *tracer; /* what it watches; or NULL */
        bool greeted;          /* said Hello */
        bool read_only;        /* has a memfd for reading, and changes nothing in the pool */
        uint64_t parent;       /* of a peer: the session that opened it; else 0 */
        struct served *served; /* the pool that it is in; NULL: none, or not yet */
        struct holder *holder; /* in that pool */
        struct request *parked;
        struct charge charge; /* all that it costs */
        struct charge peer;   /* of a peer: that it is one, to who opened it */
        struct limits_waiter waiter;
        struct turns_mark mark;
        uint64_t rests_since; /* the end of its last turn */
        struct inbox_item departed;
        struct session_statistics statistics;
        struct view *view; /* of the statistics, if it asked for them */
        size_t place;      /* in the list of views.h */
        int farewell; /* outcome for its Goodbye when it ends, though it is not to blame; or 0 */
        bool ended;   /* waits for the parked request only */

        /* What outlives the daemon: see survival.h. */
        bool stored;                  /* its descriptor is */
        bool kept;                    /* all of it is */
        bool resuming;                /* it was, and the client has not said Resume yet */
        bool waits_for_store;         /* to say Welcome */
        uint64_t answered;            /* no request up to this one is done again */
        uint64_t once;                /* of this one a part may be done already; 0: none */
        struct once_results *applied; /* see once.h; or NULL */
        TAILQ_ENTRY(session) store_link;
        char label[WIRE_LABEL_MAX + 1];
};

TAILQ_HEAD(session_list, session);

/* Takes over a connected, non-blocking socket, which gets a Goodbye if there can be no session. */
void session_new(struct server *server, int fd);

/*
 * Hello was right: the session is greeted and has its label. served: the pool that it is to be in,
 * of which one user is taken over, also when it fails; NULL: it stays in what it is in. Returns 0
 * or -ENOMEM.
 */
int session_open(struct session *session, struct served *served, bool read_only, const char *label);

struct state_record;

/*
 * A session that was kept, in that pool (NULL: none): takes over the descriptor on 0, and has its
 * client told. applied: what its operations came to, in their order. Returns -ENOMEM if there are
 * no memory or descriptors for it: then the process has to end, with all as it was; or something
 * else if the client is gone.
 */
int session_adopt(struct server *server, const struct state_record *record, struct served *served,
        const struct state_record *applied, size_t count, int fd);

/* Whether all of the session outlives the daemon. */
void session_set_kept(struct session *session, bool kept);

/* What kept it from being read from is over. */
void session_resume_reading(struct session *session);

/*
 * Makes a peer of a session that is in a pool. label: a valid one. limits: its own, instead of
 * those of all sessions; or NULL. Returns 0 and the other end of its socket, blocking, or
 * OUTCOME_DAEMON_FULL, OUTCOME_STORE_FULL, OUTCOME_LIMIT_*; or -EAGAIN: not now.
 */
int session_open_peer(struct session *session, bool read_only, const char *label,
        const struct limits_set *limits, uint64_t *ret_id, int *ret_fd);

/* Sends a message. Returns 0 or a negative errno, after which the session has to be ended. */
int session_send(struct session *session, const Filemem__ToClient *message, int fd);

/* The same with a descriptor that is taken over, also when it fails. */
int session_hand_over(struct session *session, const Filemem__ToClient *message, int fd);

/* The parked request is through: goes on reading, or frees a session that ended meanwhile. */
void session_unpark(struct session *session, int result);

/* Whether it is the session's turn, which begins now; and its end. Times are clock_now(). */
bool session_begin_turn(struct session *session, uint64_t *ret_now);
void session_end_turn(struct session *session, uint64_t began_at);

/* Sets how much the next operations may have the session hold; and counts what came of them. */
void session_set_room(struct session *session);
void session_settle(struct session *session);

/* What the inbox of departed sessions receives: all that it held is released. Frees it. */
void session_depart(struct inbox_item *item);

/* Where there was a session's waiter it may go on. */
void session_wake(struct limits_waiter *waiter);

/* Answers what was sent already, then ends. */
void session_drain(struct session *session);

/*
 * Answers what was sent already, then ends with a Goodbye of that outcome, which is not counted as
 * the client's fault.
 */
void session_dismiss(struct session *session, int outcome);

/* The same at once, whatever was sent. */
void session_expel(struct session *session, int outcome);

/* For a line of the log that it causes. */
struct log_about session_about(const struct session *session);

/*
 * Ends the session and forgets it. result: an outcome or an errno that the client is told of and
 * that counts as its fault; 0 if it just went, or is not to blame.
 */
void session_end(struct session *session, int result);

/* Frees what session_end() left because of a parked request that is no more. */
void session_free(struct session *session);
