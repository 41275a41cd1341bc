// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fence.h"
#include "filemem/filemem.h"
#include "fork.h"
#include "huge.h"
#include "proto/busy_poll.h"
#include "window.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/*
 * The inside of a session.
 *
 *   constants    set by filemem_open(), read without a lock
 *   exchange     requests and who waits for their reply, guarded by `lock`; see call.h, request.h
 *   queues       many operations under way, guarded by `lock` too; see queue.h
 *   window       where the pool is mapped, with a lock of its own; see window.h
 *   huge         where huge pages are asked for, under the window's lock; see huge.h
 *
 * The two locks are never held together, and neither across a system call that can wait for the
 * daemon. Sending does not wait, and is done under `lock`, so that requests go in their order.
 */
struct exchange;
struct request;
struct request_spare;
struct session_memory;
TAILQ_HEAD(exchange_list, exchange);
struct batch;
TAILQ_HEAD(request_list, request);
TAILQ_HEAD(batch_list, batch);
TAILQ_HEAD(queue_list, filemem_queue);

#define SESSION_TEXT_MAX 192 /* bytes of a sentence, with its end */

struct filemem_session {
        /* constants */
        int socket;
        int memfd; /* -1: in no pool */
        bool read_only;
        bool survives; /* the session outlives the daemon */
        struct fork_guard guard;
        uint64_t id;
        uint64_t capacity;
        uint64_t page_size;
        uint64_t chunk_size;
        bool huge_advise; /* of the pool */

        /* Every exchange there is, newest first; only ever grows, so a forked child can walk it. */
        _Atomic(struct exchange *) exchanges;

        pthread_mutex_t lock;
        /* under lock */
        struct session_memory *memory; /* see exchange.c; NULL: not called yet */
        struct exchange_list idle;
        struct exchange_list waiters; /* those whose threads wait */
        bool leading;                 /* some thread receives */
        struct busy_poll busy_poll;   /* of the thread that leads, without the lock */
        struct request_list log;      /* what is kept, in the order of ids */
        struct request *unsent;       /* the first in the log that is to be sent; NULL: none */
        bool resume;                  /* Resume is to be sent before it */
        uint64_t last_id;
        uint64_t last_sent;
        unsigned silent; /* requests since the last one with a reply */
        struct request_list spare;
        struct request_spare *spares; /* all of them */
        size_t spares_used;
        struct queue_list queues;
        struct batch *batches; /* every one there is, as exchanges */
        struct batch_list spare_batches;
        int failure; /* negative errno: the connection is of no more use */
        char failure_text[SESSION_TEXT_MAX];
        uint64_t lost_errors;
        int lost_error; /* of the last one */
        char lost_text[SESSION_TEXT_MAX];

        struct window window;
        struct huge huge;
        struct fence fence;
        atomic_int exec; /* whether the pool may be mapped executable; negative: not asked yet */
};
