// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "deadline.h"
#include "exchange.h"
#include "queue.h"
#include "sized.h"
#include "text.h"
#include "wait.h"

#include <errno.h>
#include <string.h>

/* More messages than this without a break are left to the next call. */
#define DISPATCH_MAX 64

#define KNOWN SIZED_TO(struct filemem_completion, data)

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
                queue_wake(queue);
        }
        if (queue_is_any_lost(queue))
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
        if (--queue->dispatching == 0 &&
                (!TAILQ_EMPTY(&queue->completed) || queue_is_any_lost(queue)))
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
                (void)queue_flush(queue);
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
        (void)queue_flush(queue);
        wait_drain(queue->session, visit.exchange, DISPATCH_MAX);
        do {
                more = deliver_completed(queue);
                count += more;
                r = queue_flush(queue);
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
static bool poll_next(filemem_queue *queue, const struct sized *to)
{
        struct filemem_completion completion;
        int item;

        pthread_mutex_lock(&queue->polling);
        pthread_mutex_lock(&queue->session->lock);
        item = find_next(queue);
        pthread_mutex_unlock(&queue->session->lock);
        if (item >= 0) {
                batch_evaluate(queue->current, (unsigned)item, &queue->usage, &completion);
                sized_put(to, 0, &completion, KNOWN);
        }
        pthread_mutex_unlock(&queue->polling);
        return item >= 0;
}

int filemem_next_sized(filemem_queue *queue, struct filemem_completion *ret, size_t size)
{
        const struct sized to = {ret, size, 1};
        int r;

        if (!queue || !ret || size < KNOWN)
                return -EINVAL;
        r = arguments_check_call(queue->session);
        if (r < 0)
                return r;
        if (poll_next(queue, &to))
                return 1;
        r = filemem_dispatch(queue);
        if (r < 0)
                return r;
        return poll_next(queue, &to);
}
