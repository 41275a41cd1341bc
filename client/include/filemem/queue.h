// SPDX-License-Identifier: Apache-2.0
#ifndef FILEMEM_QUEUE_H
#define FILEMEM_QUEUE_H

/* Part of <filemem/filemem.h>: queues. */
#include <filemem/filemem.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Many operations under way at once, for throughput, and for programs that must not wait.
 *
 * filemem_submit() collects operations into messages to the daemon; one is sent when it is full
 * (256 operations) and by filemem_flush(). The daemon does them in that order. What became of each
 * is told once, in a completion: by a call of `done`, or if that is NULL by filemem_next(). Only
 * FILEMEM_DO_RELEASE has none.
 *
 *         static void done(const struct filemem_completion *completion) { ... }
 *
 *         struct filemem_operation operation = {
 *                 .code = FILEMEM_DO_ALLOCATE, .length = 4096, .kind = FILEMEM_ANONYMOUS,
 *                 .done = done, .data = mine,
 *         };
 *         filemem_queue_open(session, NULL, &queue);
 *         for (...)
 *                 filemem_submit(queue, &operation, 1);
 *         filemem_wait(queue, 0);
 *
 * In an event loop (poll, libevent, GLib): watch filemem_queue_fd() for reading, and call
 * filemem_dispatch() whenever it is readable, and once at the end of each turn in which something
 * was submitted: it sends, receives, and calls back, and never waits.
 *
 * Threads. Any number of threads may use a queue, and the session's other calls beside it.
 * Callbacks run in a thread that is in filemem_wait(), filemem_dispatch() or filemem_next() of that
 * queue, with no lock held; they may do everything but wait for their own queue and close it.
 * A session may have several queues, such as one for each event loop.
 */
typedef struct filemem_queue filemem_queue;

enum filemem_code {
        FILEMEM_DO_PING,
        FILEMEM_DO_ALLOCATE, /* length, kind, mode: FILEMEM_LAZY or FILEMEM_COMMIT, which gets huge
                                pages only as the kernel likes */
        FILEMEM_DO_INCREF,   /* range, as the following */
        FILEMEM_DO_DECREF,
        FILEMEM_DO_RELEASE,  /* a decref without completion, as filemem_release() */
        FILEMEM_DO_DECOMMIT, /* flags */
        FILEMEM_DO_USAGE,
        FILEMEM_DO_UPDATE_USAGE,
};

struct filemem_completion {
        int result; /* 0 or a negative errno, as of the call of that name */
        enum filemem_code code;
        struct filemem_range range;        /* that was allocated, or of the operation */
        const char *text;                  /* the daemon's sentence of a refusal, else "" */
        const struct filemem_usage *usage; /* that was asked for, else NULL */
        void *data;                        /* of the operation */
};

/* What the completion points to is valid until it returns. */
typedef void filemem_completed(const struct filemem_completion *completion);

/* What a code does not use is not looked at. */
struct filemem_operation {
        enum filemem_code code;
        unsigned flags; /* FILEMEM_DECOMMIT_SHARED; 0 for all else */
        struct filemem_range range;
        uint64_t length;
        enum filemem_kind kind;
        enum filemem_mode mode;
        filemem_completed *done;
        void *data;
        uint64_t reserved[2]; /* 0 */
};

/*
 * `count` releases more were refused, of whatever call or queue of the session; the last one with
 * that error and sentence. filemem_lost_errors() counts the same.
 */
typedef void filemem_lost(void *data, uint64_t count, int error, const char *text);

struct filemem_queue_options {
        size_t size;        /* sizeof(struct filemem_queue_options) */
        filemem_lost *lost; /* NULL: nobody is told. Called as `done` is */
        void *data;         /* for it */
};

/* options may be NULL. Returns also -ENOMEM. */
FILEMEM_API int filemem_queue_open(
        filemem_session *session, const struct filemem_queue_options *options, filemem_queue **ret);

/*
 * Sends what is not sent yet, and frees. No other thread may be in a call of the queue. What is
 * under way has no completion; what it gives, as what filemem_next() has not told, is given back.
 * To be called before filemem_close(). NULL is fine. Returns NULL.
 */
FILEMEM_API filemem_queue *filemem_queue_close(filemem_queue *queue);

/*
 * Adds operations, all of them or, with an error, none. Never waits: where the daemon is far behind
 * what is submitted is kept in memory, some 100 bytes an operation. Use filemem_wait() to keep less
 * under way. Returns also -EINVAL as the call of that name would, -ENOMEM, and -ECONNRESET after
 * the end of the session.
 */
FILEMEM_API int filemem_submit(
        filemem_queue *queue, const struct filemem_operation *operations, size_t count);

/*
 * Sends what was submitted, as far as there is room; the rest goes as soon as somebody is in
 * filemem_wait(), filemem_dispatch() or another call that waits. Returns 0, or -ECONNRESET.
 */
FILEMEM_API int filemem_flush(filemem_queue *queue);

/*
 * Flushes, and waits until at most `left` operations are under way, calling back as completions
 * come. left 0: until there are none. Returns 0; -ETIMEDOUT after filemem_set_timeout(), and the
 * operations go on; or -ECONNRESET when the session has ended, after all completions have said so.
 */
FILEMEM_API int filemem_wait(filemem_queue *queue, size_t left);

/*
 * Flushes, takes in what has come, and calls back, without waiting. Returns how many operations
 * were completed, or -ECONNRESET when the session has ended and there is nothing more to tell.
 */
FILEMEM_API int filemem_dispatch(filemem_queue *queue);

/*
 * The next completion of an operation without `done`. Dispatches if there is none. Returns 1 with
 * it; 0 if there is none now; or -ECONNRESET. What it points to is valid until the next
 * filemem_next() of this queue.
 */
FILEMEM_API int filemem_next_sized(
        filemem_queue *queue, struct filemem_completion *ret, size_t size);
FILEMEM_INLINE int filemem_next(filemem_queue *queue, struct filemem_completion *ret)
{
        return filemem_next_sized(queue, ret, sizeof(*ret));
}

/* How many operations were submitted and not completed yet, without releases. */
FILEMEM_API size_t filemem_under_way(filemem_queue *queue);

/*
 * A descriptor that is readable when filemem_dispatch() has something to do: an epoll instance,
 * made by the first call, of the queue, close-on-exec. It may wake for nothing when other threads
 * use the session too. Returns it, or a negative errno such as -EMFILE.
 */
FILEMEM_API int filemem_queue_fd(filemem_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
