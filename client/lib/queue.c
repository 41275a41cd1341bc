// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include "arguments.h"
#include "deadline.h"
#include "exchange.h"
#include "huge.h"
#include "text.h"
#include "wait.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* More messages than this without a break are left to the next call. */
#define DISPATCH_MAX 64

/* ---- opening and closing -----------------------------------------------------------------------
 */

int filemem_queue_open(
        filemem_session *session, const struct filemem_queue_options *options, filemem_queue **ret)
{
        filemem_queue *queue;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = arguments_check_call(session);
        if (r < 0)
                return r;
        if (options && options->size < sizeof(*options))
                return text_set(session, -EINVAL, "options have no size");
        queue = mmap(
                NULL, sizeof(*queue), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (queue == MAP_FAILED)
                return text_set(session, -ENOMEM, "this process is out of memory");
        queue->session = session;
        queue->epoll = queue->event = -1;
        if (options) {
                queue->lost = options->lost;
                queue->lost_data = options->data;
        }
        TAILQ_INIT(&queue->completed);
        TAILQ_INIT(&queue->polled);
        pthread_mutex_init(&queue->polling, NULL);
        pthread_mutex_lock(&session->lock);
        queue->lost_seen = session->lost_errors;
        TAILQ_INSERT_TAIL(&session->queues, queue, link);
        pthread_mutex_unlock(&session->lock);
        *ret = queue;
        return 0;
}

static int flush(filemem_queue *queue);

/* Those of the queue that are in the log lose it; the others are of no more use. */
static void abandon_batches(filemem_queue *queue)
{
        filemem_session *session = queue->session;
        struct batch *batch;

        for (batch = session->batches; batch; batch = batch->older) {
                if (batch->queue != queue)
                        continue;
                batch->queue = NULL;
                batch->exchange.abandoned = true;
        }
        while ((batch = TAILQ_FIRST(&queue->completed))) {
                TAILQ_REMOVE(&queue->completed, batch, link);
                batch_give_back(session, batch);
        }
        while ((batch = TAILQ_FIRST(&queue->polled))) {
                TAILQ_REMOVE(&queue->polled, batch, link);
                batch_give_back(session, batch);
        }
        if (queue->current)
                batch_give_back(session, queue->current);
}

filemem_queue *filemem_queue_close(filemem_queue *queue)
{
        filemem_session *session;
        int cancel;

        if (!queue)
                return NULL;
        session = queue->session;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        queue_fd_close(queue);
        /* In a child somebody else may have held the lock; the session's end frees the batches. */
        if (!fork_guard_is_child(&session->guard)) {
                pthread_mutex_lock(&session->lock);
                (void)flush(queue);
                TAILQ_REMOVE(&session->queues, queue, link);
                abandon_batches(queue);
                pthread_mutex_unlock(&session->lock);
        }
        munmap(queue, sizeof(*queue));
        pthread_setcancelstate(cancel, NULL);
        return NULL;
}

/* ---- submitting --------------------------------------------------------------------------------
 */

static int check_allocation(filemem_session *session, const struct filemem_operation *operation)
{
        int r = arguments_check_length(session, operation->length);

        if (r < 0)
                return r;
        if ((unsigned)operation->kind >= FILEMEM_KINDS)
                return text_set(session, -EINVAL, "unknown kind: use 0 to 5");
        if (operation->mode != FILEMEM_LAZY && operation->mode != FILEMEM_COMMIT)
                return text_set(session, -EINVAL, "a queue allocates lazily or commits");
        return 0;
}

static int check_operation(filemem_session *session, const struct filemem_operation *operation)
{
        if (operation->flags & ~FILEMEM_DECOMMIT_SHARED || operation->reserved[0] ||
                operation->reserved[1])
                return text_set(session, -EINVAL, "unknown flags");
        switch (operation->code) {
        case FILEMEM_DO_PING:
        case FILEMEM_DO_USAGE:
        case FILEMEM_DO_UPDATE_USAGE:
                return 0;
        case FILEMEM_DO_ALLOCATE:
                return check_allocation(session, operation);
        case FILEMEM_DO_INCREF:
        case FILEMEM_DO_DECREF:
        case FILEMEM_DO_RELEASE:
        case FILEMEM_DO_DECOMMIT:
                return arguments_check_range(session, operation->range);
        default:
                return text_set(session, -EINVAL, "unknown operation");
        }
}

/* Those of which there are many. Returns 0 if it is none of them. */
static size_t encode_often(const struct filemem_operation *operation, uint8_t *buffer, size_t at)
{
        const struct filemem_range *range = &operation->range;

        switch (operation->code) {
        case FILEMEM_DO_ALLOCATE:
                if (operation->mode != FILEMEM_LAZY)
                        return 0;
                return frame_add_numbers(buffer, at, FILEMEM__OPERATION__BODY_ALLOCATE, false,
                        operation->length, operation->kind);
        case FILEMEM_DO_INCREF:
                return frame_add_numbers(buffer, at, FILEMEM__OPERATION__BODY_INCREF, false,
                        range->start, range->end);
        case FILEMEM_DO_DECREF:
        case FILEMEM_DO_RELEASE:
                return frame_add_numbers(buffer, at, FILEMEM__OPERATION__BODY_DECREF,
                        operation->code == FILEMEM_DO_RELEASE, range->start, range->end);
        default:
                return 0;
        }
}

static size_t encode(const struct filemem_operation *operation, uint8_t *buffer, size_t at)
{
        union {
                Filemem__Ping ping;
                Filemem__Allocate allocate;
                Filemem__Decommit decommit;
                Filemem__Usage usage;
                Filemem__UpdateUsage update_usage;
        } body;
        Filemem__Operation message = FILEMEM__OPERATION__INIT;
        size_t end = encode_often(operation, buffer, at);

        if (end)
                return end;
        switch (operation->code) {
        case FILEMEM_DO_ALLOCATE:
                filemem__allocate__init(&body.allocate);
                body.allocate.length = operation->length;
                body.allocate.kind = (Filemem__Kind)operation->kind;
                body.allocate.mode = FILEMEM__MODE__MODE_COMMIT;
                message.body_case = FILEMEM__OPERATION__BODY_ALLOCATE;
                break;
        case FILEMEM_DO_DECOMMIT:
                filemem__decommit__init(&body.decommit);
                body.decommit.start = operation->range.start;
                body.decommit.end = operation->range.end;
                body.decommit.shared = (operation->flags & FILEMEM_DECOMMIT_SHARED) != 0;
                message.body_case = FILEMEM__OPERATION__BODY_DECOMMIT;
                break;
        case FILEMEM_DO_USAGE:
                filemem__usage__init(&body.usage);
                message.body_case = FILEMEM__OPERATION__BODY_USAGE;
                break;
        case FILEMEM_DO_UPDATE_USAGE:
                filemem__update_usage__init(&body.update_usage);
                message.body_case = FILEMEM__OPERATION__BODY_UPDATE_USAGE;
                break;
        default:
                filemem__ping__init(&body.ping);
                message.body_case = FILEMEM__OPERATION__BODY_PING;
                break;
        }
        /* All members of the union in the message are pointers to what they are for. */
        message.ping = &body.ping;
        /* A batch has room for the longest of each. */
        return (size_t)frame_add(buffer, BATCH_SIZE, at, &message);
}

/* The caller holds the lock. What is being filled goes into the log. */
static void close_batch(filemem_queue *queue)
{
        filemem_session *session = queue->session;
        struct batch *batch = queue->filling;

        queue->filling = NULL;
        if (!batch)
                return;
        if (!session->failure) {
                request_append(session, &batch->exchange.request, batch->results > 0);
        } else if (batch->results) {
                batch->exchange.error = session->failure;
                text_copy(
                        batch->exchange.text, sizeof(batch->exchange.text), session->failure_text);
                queue_complete(session, batch);
        } else {
                batch_put(session, batch);
        }
}

static void add(filemem_queue *queue, const struct filemem_operation *operation)
{
        struct batch *batch = queue->filling;
        struct request *request = &batch->exchange.request;

        request->end = encode(operation, batch->buffer, request->end);
        batch->operations++;
        if (operation->code != FILEMEM_DO_RELEASE) {
                batch->items[batch->results++] = (struct item){
                        .done = operation->done,
                        .data = operation->data,
                        .range = operation->code == FILEMEM_DO_ALLOCATE
                                         ? (struct filemem_range){0, operation->length}
                                         : operation->range,
                        .code = operation->code,
                        .committed = operation->mode == FILEMEM_COMMIT,
                };
                queue->under_way++;
        }
        if (batch->operations == WIRE_OPERATIONS_MAX)
                close_batch(queue);
}

/* The caller holds the lock. Has so many spare batches that `count` operations can be added. */
static int reserve(filemem_queue *queue, size_t count)
{
        filemem_session *session = queue->session;
        size_t room = queue->filling ? WIRE_OPERATIONS_MAX - queue->filling->operations : 0;
        struct batch_list taken = TAILQ_HEAD_INITIALIZER(taken);
        int r = 0;

        for (; room < count; room += WIRE_OPERATIONS_MAX) {
                struct batch *batch = batch_take(session, NULL);

                if (!batch) {
                        r = text_set(session, -ENOMEM, "this process is out of memory");
                        break;
                }
                TAILQ_INSERT_TAIL(&taken, batch, link);
        }
        TAILQ_CONCAT(&session->spare_batches, &taken, link);
        return r;
}

static int submit(filemem_queue *queue, const struct filemem_operation *operations, size_t count)
{
        filemem_session *session = queue->session;
        int r = session->failure;

        if (r < 0)
                return text_set(session, r, session->failure_text);
        r = reserve(queue, count);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++) {
                if (!queue->filling)
                        queue->filling = batch_take(session, queue);
                add(queue, &operations[i]);
        }
        if (session->unsent)
                wait_send(session);
        return 0;
}

int filemem_submit(filemem_queue *queue, const struct filemem_operation *operations, size_t count)
{
        filemem_session *session;
        int cancel, r;

        if (!queue || (count && !operations))
                return -EINVAL;
        session = queue->session;
        r = arguments_check_call(session);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = check_operation(session, &operations[i]);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++)
                if (operations[i].code == FILEMEM_DO_DECREF ||
                        operations[i].code == FILEMEM_DO_RELEASE)
                        huge_forget(session, operations[i].range);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        pthread_mutex_lock(&session->lock);
        r = submit(queue, operations, count);
        pthread_mutex_unlock(&session->lock);
        pthread_setcancelstate(cancel, NULL);
        return r;
}

/* The caller holds the lock. */
static int flush(filemem_queue *queue)
{
        filemem_session *session = queue->session;

        close_batch(queue);
        if (session->unsent)
                wait_send(session);
        return session->failure ? text_set(session, session->failure, session->failure_text) : 0;
}

int filemem_flush(filemem_queue *queue)
{
        int cancel, r;

        if (!queue)
                return -EINVAL;
        r = arguments_check_call(queue->session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        pthread_mutex_lock(&queue->session->lock);
        r = flush(queue);
        pthread_mutex_unlock(&queue->session->lock);
        pthread_setcancelstate(cancel, NULL);
        return r;
}

size_t filemem_under_way(filemem_queue *queue)
{
        size_t count;

        if (!queue || fork_guard_is_child(&queue->session->guard))
                return 0;
        pthread_mutex_lock(&queue->session->lock);
        count = queue->under_way;
        pthread_mutex_unlock(&queue->session->lock);
        return count;
}

/* ---- completing --------------------------------------------------------------------------------
 */

static void wake(filemem_queue *queue)
{
        struct exchange *exchange;

        TAILQ_FOREACH (exchange, &queue->session->waiters, waiter)
                if (exchange->want == WANT_QUEUE && exchange->queue == queue)
                        pthread_cond_signal(&exchange->wake);
        if (!queue->dispatching)
                queue_fd_signal(queue);
}

void queue_complete(filemem_session *session, struct batch *batch)
{
        (void)session;
        TAILQ_INSERT_TAIL(&batch->queue->completed, batch, link);
        wake(batch->queue);
}

void queue_notify_lost(filemem_session *session)
{
        filemem_queue *queue;

        TAILQ_FOREACH (queue, &session->queues, link)
                if (queue->lost)
                        wake(queue);
}

void queue_watch(filemem_session *session)
{
        filemem_queue *queue;

        TAILQ_FOREACH (queue, &session->queues, link)
                queue_fd_watch(queue);
}

static bool is_any_lost(const filemem_queue *queue)
{
        return queue->lost && queue->lost_seen != queue->session->lost_errors;
}

bool queue_is_ready(const filemem_queue *queue, uint64_t left)
{
        return !TAILQ_EMPTY(&queue->completed) || queue->under_way <= left || is_any_lost(queue);
}

bool queue_is_delivering(const filemem_queue *queue)
{
        return queue->delivering > 0;
}

/* Calls back, without the lock. What is not called back is left to filemem_next(). */
static void deliver(struct batch *batch)
{
        for (unsigned i = 0; i < batch->results; i++) {
                struct filemem_completion completion;
                struct filemem_usage usage;

                batch->delivered = true;
                if (!batch->items[i].done) {
                        batch->polled++;
                        continue;
                }
                batch_evaluate(batch, i, &usage, &completion);
                batch->items[i].done(&completion);
        }
}

/* The caller holds the lock, which is let go meanwhile. */
static void tell_lost(filemem_queue *queue)
{
        filemem_session *session = queue->session;
        uint64_t count = session->lost_errors - queue->lost_seen;
        char text[SESSION_TEXT_MAX];
        int error = session->lost_error;

        memcpy(text, session->lost_text, sizeof(text));
        queue->lost_seen = session->lost_errors;
        pthread_mutex_unlock(&session->lock);
        queue->lost(queue->lost_data, count, error, text);
        pthread_mutex_lock(&session->lock);
}

/* The same. Returns how many operations were delivered. */
static size_t deliver_completed(filemem_queue *queue)
{
        filemem_session *session = queue->session;
        struct batch *batch;
        size_t count = 0;

        queue_fd_clear(queue);
        while ((batch = TAILQ_FIRST(&queue->completed))) {
                TAILQ_REMOVE(&queue->completed, batch, link);
                queue->delivering++;
                pthread_mutex_unlock(&session->lock);
                deliver(batch);
                pthread_mutex_lock(&session->lock);
                queue->delivering--;
                count += batch->results;
                queue->under_way -= batch->results;
                if (batch->polled)
                        TAILQ_INSERT_TAIL(&queue->polled, batch, link);
                else
                        batch_put(session, batch);
                /* Whoever waits for fewer to be under way. */
                wake(queue);
        }
        if (is_any_lost(queue))
                tell_lost(queue);
        return count;
}

/* What filemem_wait() and filemem_dispatch() have in common. */
struct visit {
        struct exchange *exchange;
        int cancel;
};

/* Takes the lock. Returns 0 or a negative errno, without the lock. */
static int enter(filemem_queue *queue, struct visit *visit)
{
        int r = arguments_check_call(queue->session);

        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &visit->cancel);
        visit->exchange = exchange_enter(queue->session);
        if (!visit->exchange) {
                pthread_setcancelstate(visit->cancel, NULL);
                return text_set(queue->session, -ENOMEM, "this process is out of memory");
        }
        visit->exchange->queue = queue;
        queue->dispatching++;
        return 0;
}

static void leave(filemem_queue *queue, struct visit *visit)
{
        /* What came since this thread looked, nobody else was told of. */
        if (--queue->dispatching == 0 && (!TAILQ_EMPTY(&queue->completed) || is_any_lost(queue)))
                queue_fd_signal(queue);
        exchange_leave(queue->session, visit->exchange);
        pthread_setcancelstate(visit->cancel, NULL);
}

int filemem_wait(filemem_queue *queue, size_t left)
{
        uint64_t deadline;
        struct visit visit;
        int r;

        if (!queue)
                return -EINVAL;
        deadline = deadline_begin();
        r = enter(queue, &visit);
        if (r < 0)
                return r;
        for (;;) {
                (void)flush(queue);
                if (deliver_completed(queue))
                        continue;
                if (queue->under_way <= left)
                        break;
                r = wait_for(queue->session, visit.exchange, WANT_QUEUE, left, deadline);
                if (r < 0) {
                        text_set(queue->session, r, "the daemon did not answer in time");
                        break;
                }
        }
        if (r == 0 && queue->session->failure)
                r = text_set(queue->session, queue->session->failure, queue->session->failure_text);
        leave(queue, &visit);
        return r;
}

int filemem_dispatch(filemem_queue *queue)
{
        struct visit visit;
        size_t count = 0, more;
        int r;

        if (!queue)
                return -EINVAL;
        r = enter(queue, &visit);
        if (r < 0)
                return r;
        (void)flush(queue);
        wait_drain(queue->session, visit.exchange, DISPATCH_MAX);
        do {
                more = deliver_completed(queue);
                count += more;
                r = flush(queue);
        } while (more && count < (size_t)DISPATCH_MAX * WIRE_OPERATIONS_MAX);
        leave(queue, &visit);
        return count || r == 0 ? (int)count : r;
}

/* ---- polling -----------------------------------------------------------------------------------
 */

/* The caller holds the lock. The next one: it is in `current` then, at what this returns. */
static int find_next(filemem_queue *queue)
{
        struct batch *batch = queue->current;

        if (batch && !batch->polled) {
                batch_put(queue->session, batch);
                batch = queue->current = NULL;
        }
        if (!batch) {
                batch = queue->current = TAILQ_FIRST(&queue->polled);
                if (!batch)
                        return -EAGAIN;
                TAILQ_REMOVE(&queue->polled, batch, link);
        }
        while (batch->items[batch->next].done)
                batch->next++;
        batch->polled--;
        return (int)batch->next++;
}

/* Returns whether there was one. */
static bool poll_next(filemem_queue *queue, struct filemem_completion *ret)
{
        int item;

        pthread_mutex_lock(&queue->polling);
        pthread_mutex_lock(&queue->session->lock);
        item = find_next(queue);
        pthread_mutex_unlock(&queue->session->lock);
        if (item >= 0)
                batch_evaluate(queue->current, (unsigned)item, &queue->usage, ret);
        pthread_mutex_unlock(&queue->polling);
        return item >= 0;
}

int filemem_next(filemem_queue *queue, struct filemem_completion *ret)
{
        int r;

        if (!queue || !ret)
                return -EINVAL;
        r = arguments_check_call(queue->session);
        if (r < 0)
                return r;
        if (poll_next(queue, ret))
                return 1;
        r = filemem_dispatch(queue);
        if (r < 0)
                return r;
        return poll_next(queue, ret);
}

/* The caller holds the lock. */
static int open_fd(filemem_queue *queue)
{
        int r = queue->epoll < 0 ? queue_fd_open(queue) : 0;

        if (r < 0)
                return text_set(queue->session, r, "no descriptor for a queue");
        queue_fd_watch(queue);
        if (!TAILQ_EMPTY(&queue->completed) || is_any_lost(queue))
                queue_fd_signal(queue);
        return queue->epoll;
}

int filemem_queue_fd(filemem_queue *queue)
{
        int cancel, r;

        if (!queue)
                return -EINVAL;
        r = arguments_check_call(queue->session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        pthread_mutex_lock(&queue->session->lock);
        r = open_fd(queue);
        pthread_mutex_unlock(&queue->session->lock);
        pthread_setcancelstate(cancel, NULL);
        return r;
}
