// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include "arguments.h"
#include "text.h"

#include <errno.h>
#include <sys/mman.h>

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

static void give_back_all(filemem_session *session, struct batch_list *list)
{
        struct batch *batch;

        while ((batch = TAILQ_FIRST(list))) {
                TAILQ_REMOVE(list, batch, link);
                batch_give_back(session, batch);
        }
}

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
        give_back_all(session, &queue->completed);
        give_back_all(session, &queue->polled);
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
                (void)queue_flush(queue);
                TAILQ_REMOVE(&session->queues, queue, link);
                abandon_batches(queue);
                pthread_mutex_unlock(&session->lock);
        }
        munmap(queue, sizeof(*queue));
        pthread_setcancelstate(cancel, NULL);
        return NULL;
}

int queue_do(filemem_queue *queue, int (*step)(filemem_queue *queue))
{
        int cancel, r;

        if (!queue)
                return -EINVAL;
        r = arguments_check_call(queue->session);
        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        pthread_mutex_lock(&queue->session->lock);
        r = step(queue);
        pthread_mutex_unlock(&queue->session->lock);
        pthread_setcancelstate(cancel, NULL);
        return r;
}

/* ---- completing --------------------------------------------------------------------------------
 */

void queue_wake(filemem_queue *queue)
{
        struct exchange *exchange;

        TAILQ_FOREACH (exchange, &queue->session->waiters, waiter)
                if (exchange->want == WANT_QUEUE && exchange->queue == queue)
                        pthread_cond_signal(&exchange->wake);
        if (!queue->dispatching)
                queue_fd_signal(queue);
}

void queue_complete(struct batch *batch)
{
        TAILQ_INSERT_TAIL(&batch->queue->completed, batch, link);
        queue_wake(batch->queue);
}

void queue_notify_lost(filemem_session *session)
{
        filemem_queue *queue;

        TAILQ_FOREACH (queue, &session->queues, link)
                if (queue->lost)
                        queue_wake(queue);
}

void queue_watch(filemem_session *session)
{
        filemem_queue *queue;

        TAILQ_FOREACH (queue, &session->queues, link)
                queue_fd_watch(queue);
}

bool queue_is_any_lost(const filemem_queue *queue)
{
        return queue->lost && queue->lost_seen != queue->session->lost_errors;
}

bool queue_is_ready(const filemem_queue *queue, uint64_t left)
{
        return !TAILQ_EMPTY(&queue->completed) || queue->under_way <= left ||
               queue_is_any_lost(queue);
}

bool queue_is_delivering(const filemem_queue *queue)
{
        return queue->delivering > 0;
}
