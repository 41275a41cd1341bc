// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"

/*
 * Queues: many operations under way at once, in batches.
 *
 * A batch is an exchange with many operations. It is filled by filemem_submit(), goes into the
 * session's log as any request does, and when its reply has come it is among the completed ones of
 * its queue, until a thread that is in a call of that queue delivers it: evaluates the results, in
 * memory that is its own, and calls back. What has no result (releases) is in no completion.
 *
 * Everything but delivering is done under the session's lock.
 */
#define BATCH_SIZE (FRAME_HEAD + WIRE_OPERATIONS_MAX * FRAME_OPERATION_MAX) /* bytes */

/* An operation with a result. */
struct item {
        filemem_completed *done;
        void *data;
        struct filemem_range range; /* of an allocation: 0 to its length */
        enum filemem_code code;
        bool committed; /* is to be */
};

/* Made by mmap() as exchanges are, and of the session: a queue may end before its batches do. */
struct batch {
        struct exchange exchange;
        struct batch *older;     /* in session->batches */
        TAILQ_ENTRY(batch) link; /* in the session's spare ones, or a list of its queue */
        filemem_queue *queue;    /* NULL: closed meanwhile */
        unsigned operations;
        unsigned results; /* of them */
        unsigned polled;  /* of these, to be had by filemem_next() */
        unsigned next;    /* that it looks at */
        bool delivered;   /* what has a callback */
        struct item items[WIRE_OPERATIONS_MAX];
        uint8_t buffer[BATCH_SIZE];
};

struct filemem_queue {
        filemem_session *session;
        filemem_lost *lost;
        void *lost_data;
        TAILQ_ENTRY(filemem_queue) link; /* in session->queues */
        struct batch *filling;           /* NULL: nothing */
        struct batch_list completed;
        struct batch_list polled; /* what is left of delivered ones */
        struct batch *current;    /* polled last: the sentence is in it */
        pthread_mutex_t polling;  /* one filemem_next() at a time; taken before the session's */
        size_t under_way;         /* operations with a result that was not delivered */
        uint64_t lost_seen;
        unsigned delivering;  /* threads that call back */
        unsigned dispatching; /* threads that look at `completed` before they return */
        int epoll;            /* -1: not asked for */
        int event;
        uint32_t watched; /* of the socket, by epoll */
        bool signalled;   /* the event is readable */
        struct filemem_usage usage;
};

/* ---- batches ----------------------------------------------------------------------------------
 */

/* A spare batch for this queue, or a new one; NULL if there is no memory. */
struct batch *batch_take(filemem_session *session, filemem_queue *queue);
void batch_put(filemem_session *session, struct batch *batch);

/*
 * The queue is closed: gives back what the reply gave and nobody was told of. late: the reply has
 * come after that, and the batch is still in the log.
 */
void batch_give_back(filemem_session *session, struct batch *batch);
void batch_give_back_late(
        filemem_session *session, struct batch *batch, const Filemem__Reply *reply);

/*
 * What became of an operation. usage: room for it. Only once for each; by whoever delivers, without
 * the lock.
 */
void batch_evaluate(struct batch *batch, unsigned number, struct filemem_usage *usage,
        struct filemem_completion *ret);

void batch_deinit_all(filemem_session *session);

/* ---- queues -----------------------------------------------------------------------------------
 */

/*
 * A call of a queue that does not wait: `step`, under the session's lock. Returns what that does,
 * -EINVAL for NULL or -ECHILD.
 */
int queue_do(filemem_queue *queue, int (*step)(filemem_queue *queue));

/* The caller holds the lock, here and below. As filemem_flush(). */
int queue_flush(filemem_queue *queue);

/* The reply has come, or never will. */
void queue_complete(struct batch *batch);

/* There is something for whoever looks after this queue. */
void queue_wake(filemem_queue *queue);

/* Whether there are lost releases that its handler was not told of. */
bool queue_is_any_lost(const filemem_queue *queue);

/* More has been lost: whoever looks after a queue is to be told. */
void queue_notify_lost(filemem_session *session);

/* There is more or less to be sent than before, or the session has failed. */
void queue_watch(filemem_session *session);

/* Whether threads are calling back: then less will be under way without any message. */
bool queue_is_delivering(const filemem_queue *queue);

/* Whether a thread that wants WANT_QUEUE with that number has it. */
bool queue_is_ready(const filemem_queue *queue, uint64_t left);

/* ---- their descriptors ------------------------------------------------------------------------
 */

void queue_fd_close(filemem_queue *queue);

/* What the descriptor wakes for has changed; the caller holds the lock. No-ops without one. */
void queue_fd_watch(filemem_queue *queue);
void queue_fd_signal(filemem_queue *queue);
void queue_fd_clear(filemem_queue *queue);
