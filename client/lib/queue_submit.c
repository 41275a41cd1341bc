// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "huge.h"
#include "queue.h"
#include "text.h"
#include "wait.h"

#include <errno.h>

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
                queue_complete(batch);
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

int queue_flush(filemem_queue *queue)
{
        filemem_session *session = queue->session;

        close_batch(queue);
        if (session->unsent)
                wait_send(session);
        return session->failure ? text_set(session, session->failure, session->failure_text) : 0;
}

int filemem_flush(filemem_queue *queue)
{
        return queue_do(queue, queue_flush);
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
