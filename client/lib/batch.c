// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "exchange.h"
#include "huge.h"
#include "proto/status.h"
#include "queue.h"
#include "usage.h"
#include "wait.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* With the message that it has at first. */
struct batch_memory {
        struct batch batch;
        struct message message;
};

static struct batch *batch_new(filemem_session *session)
{
        struct batch_memory *memory = exchange_map(sizeof(*memory));
        struct batch *batch;

        if (!memory)
                return NULL;
        batch = &memory->batch;
        exchange_init_message(&memory->message);
        batch->exchange.message = &memory->message;
        batch->exchange.batch = batch;
        batch->exchange.request.exchange = &batch->exchange;
        batch->exchange.request.buffer = batch->buffer;
        batch->older = session->batches;
        session->batches = batch;
        return batch;
}

struct batch *batch_take(filemem_session *session, filemem_queue *queue)
{
        struct batch *batch = TAILQ_FIRST(&session->spare_batches);

        if (batch)
                TAILQ_REMOVE(&session->spare_batches, batch, link);
        else
                batch = batch_new(session);
        if (!batch)
                return NULL;
        batch->queue = queue;
        batch->operations = batch->results = batch->polled = batch->next = 0;
        batch->delivered = false;
        batch->exchange.done = false;
        batch->exchange.abandoned = false;
        batch->exchange.error = 0;
        batch->exchange.request.end = FRAME_HEAD;
        return batch;
}

void batch_put(filemem_session *session, struct batch *batch)
{
        batch->queue = NULL;
        TAILQ_INSERT_HEAD(&session->spare_batches, batch, link);
}

void batch_deinit_all(filemem_session *session)
{
        struct batch *batch = session->batches, *older;

        for (older = batch; older; older = older->older)
                exchange_drop_fd(&older->exchange);
        for (; batch; batch = older) {
                older = batch->older;
                munmap(batch, sizeof(struct batch_memory));
        }
        session->batches = NULL;
}

/* ---- results ----------------------------------------------------------------------------------
 */

/* The range of a result that is one of ours. */
static bool take_allocated(const filemem_session *session, const struct item *item,
        const Filemem__Result *result, struct filemem_range *ret)
{
        const Filemem__Allocated *allocated = result->allocated;

        if (result->body_case != FILEMEM__RESULT__BODY_ALLOCATED ||
                !arguments_is_range(session, allocated->start, allocated->end) ||
                allocated->end - allocated->start != item->range.end)
                return false;
        *ret = (struct filemem_range){allocated->start, allocated->end};
        return true;
}

static void fail(struct filemem_completion *completion, int error, const char *text)
{
        completion->result = error;
        completion->text = text;
}

static void complete_allocation(filemem_session *session, const struct item *item,
        const Filemem__Result *result, struct filemem_completion *completion)
{
        if (!take_allocated(session, item, result, &completion->range)) {
                fail(completion, -EPROTO, "the daemon allocated something else");
        } else if (item->committed && !result->allocated->committed) {
                (void)filemem_release(session, completion->range);
                fail(completion, -ENOSYS, "the daemon is older than committing");
        } else {
                huge_want(session, completion->range);
        }
}

static void complete(filemem_session *session, const struct item *item,
        const Filemem__Result *result, struct filemem_usage *usage,
        struct filemem_completion *completion)
{
        if (result->status != FILEMEM__STATUS__STATUS_OK) {
                if (item->code == FILEMEM_DO_DECREF)
                        fence_take(session, item->range);
                fail(completion, -status_to_errno(result->status), result->text);
                return;
        }
        switch (item->code) {
        case FILEMEM_DO_ALLOCATE:
                complete_allocation(session, item, result, completion);
                break;
        case FILEMEM_DO_INCREF:
                huge_want(session, item->range);
                break;
        case FILEMEM_DO_USAGE:
        case FILEMEM_DO_UPDATE_USAGE:
                if (result->body_case != FILEMEM__RESULT__BODY_USAGE) {
                        fail(completion, -EPROTO, "the daemon answered something else");
                        break;
                }
                usage_copy(result->usage, usage);
                completion->usage = usage;
                break;
        default:
                break;
        }
}

void batch_evaluate(struct batch *batch, unsigned number, struct filemem_usage *usage,
        struct filemem_completion *ret)
{
        const struct item *item = &batch->items[number];
        const struct exchange *exchange = &batch->exchange;
        const Filemem__Reply *reply;

        *ret = (struct filemem_completion){
                .code = item->code, .range = item->range, .text = "", .data = item->data};
        if (exchange->error) {
                fail(ret, exchange->error, exchange->text);
                return;
        }
        reply = exchange->message->decoded->reply;
        if (reply->status != FILEMEM__STATUS__STATUS_OK)
                fail(ret, -status_to_errno(reply->status), reply->text);
        else if (reply->n_results != batch->results)
                fail(ret, -EPROTO, "the daemon's reply has another length");
        else
                complete(batch->queue->session, item, reply->results[number], usage, ret);
}

/* ---- nobody waits any more ---------------------------------------------------------------------
 */

/* What an operation gave that nobody was told of. */
static bool is_given(const filemem_session *session, const struct batch *batch, unsigned number,
        const Filemem__Result *result, struct filemem_range *ret)
{
        const struct item *item = &batch->items[number];

        if (number < batch->next || (batch->delivered && item->done) ||
                result->status != FILEMEM__STATUS__STATUS_OK)
                return false;
        *ret = item->range;
        return item->code == FILEMEM_DO_INCREF ||
               (item->code == FILEMEM_DO_ALLOCATE && take_allocated(session, item, result, ret));
}

/* The batch that nobody waits for carries what undoes it: that needs no memory. */
static void give_back(filemem_session *session, struct batch *batch, const Filemem__Reply *reply)
{
        unsigned results = reply->n_results == batch->results ? batch->results : 0;
        size_t end = FRAME_HEAD;

        for (unsigned i = 0; i < results; i++) {
                struct filemem_range range;

                if (is_given(session, batch, i, reply->results[i], &range))
                        end = exchange_encode_release(batch->buffer, BATCH_SIZE, end, range);
        }
        batch->results = 0;
        if (end == FRAME_HEAD) {
                batch_put(session, batch);
                return;
        }
        batch->exchange.request.end = end;
        request_append(session, &batch->exchange.request, false);
        wait_send(session);
}

void batch_give_back(filemem_session *session, struct batch *batch)
{
        if (session->failure || batch->exchange.error)
                batch_put(session, batch);
        else
                give_back(session, batch, batch->exchange.message->decoded->reply);
}

void batch_give_back_late(
        filemem_session *session, struct batch *batch, const Filemem__Reply *reply)
{
        /* With the results that it has it stays ours when it leaves the log. */
        batch->exchange.abandoned = false;
        request_remove(session, &batch->exchange.request);
        batch->exchange.abandoned = true;
        give_back(session, batch, reply);
}
