// SPDX-License-Identifier: Apache-2.0
#include "server/once.h"

#include "memory/survive.h"
#include "server/handlers.h"
#include "server/state.h"
#include "server/state_record.h"

#include <errno.h>
#include <stdlib.h>

/* ---- what is not in a pool ------------------------------------------------------------------- */

/* Room for the results of that request, in place of those of one before. Returns 0 or -ENOMEM. */
static int make_room(struct session *session, uint64_t request)
{
        if (!session->applied)
                session->applied = calloc(1, sizeof(*session->applied));
        if (!session->applied)
                return -ENOMEM;
        if (session->applied->request != request)
                session->applied->count = 0;
        session->applied->request = request;
        return 0;
}

static int *find_result(struct once_results *results, uint64_t request, uint32_t operation)
{
        if (!results || results->request != request)
                return NULL;
        for (size_t i = 0; i < results->count; i++)
                if (results->list[i].operation == operation)
                        return &results->list[i].result;
        return NULL;
}

/* It may be there already: a journal that is written anew may have it twice. */
static void keep_result(struct once_results *results, uint32_t operation, int result)
{
        int *kept = find_result(results, results->request, operation);

        if (!kept && results->count < WIRE_OPERATIONS_MAX) {
                results->list[results->count].operation = operation;
                kept = &results->list[results->count++].result;
        }
        if (kept)
                *kept = result;
}

int once_restore(struct session *session, const struct state_record *records, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                int r = make_room(session, records[i].applied.request);

                if (r < 0)
                        return r;
                keep_result(
                        session->applied, records[i].applied.operation, records[i].applied.result);
        }
        if (session->applied && session->applied->request > session->once) {
                session->once = session->applied->request;
                session->answered = session->once - 1;
        }
        return 0;
}

/* ---- operations ------------------------------------------------------------------------------ */

bool once_recall(struct request *request, const Filemem__Operation *operation,
        Filemem__Result *result, int *ret)
{
        const struct session *session = request->session;
        struct pool_result kept;
        const int *applied;

        if (!session->kept || session->once != request->message->id)
                return false;
        applied = find_result(session->applied, request->message->id, (uint32_t)request->index);
        if (applied) {
                *ret = *applied;
                return true;
        }
        if (!session->holder || !holder_recall(session->holder, request->message->id,
                                        (uint32_t)request->index, &kept))
                return false;
        if (kept.part) {
                request->from = kept.range.end;
                return false;
        }
        *ret = kept.result;
        if (!kept.result && operation->body_case == FILEMEM__OPERATION__BODY_ALLOCATE)
                *ret = recall_allocate(request, kept.range, result);
        return true;
}

int once_begin(struct request *request, const struct rpc *rpc)
{
        struct session *session = request->session;
        int r;

        if (!session->kept)
                return 0;
        if (rpc->changes)
                r = holder_begin(session->holder, request->message->id, (uint32_t)request->index);
        else
                r = make_room(session, request->message->id);
        request->begun = r == 0;
        return r;
}

/* From here on it is written down, or will be with what it ends. */
static void apply(struct request *request, int result)
{
        request->begun = false;
        keep_result(request->session->applied, (uint32_t)request->index, result);
}

void once_ends(struct request *request, bool kept)
{
        const struct session *session = request->session;
        uint64_t id = request->message->id;

        if (!request->begun)
                return;
        apply(request, 0);
        if (kept)
                survival_note_cause(session, id, (uint32_t)request->index);
        else
                survival_note_applied(session, id, (uint32_t)request->index, 0);
}

void once_note(struct request *request, int result)
{
        const Filemem__Operation *operation = request->message->operations[request->index];
        const struct session *session = request->session;
        bool decommits = operation->body_case == FILEMEM__OPERATION__BODY_DECOMMIT;

        if (!request->begun)
                return;
        request->begun = false;
        if (rpc_find(operation)->once) {
                apply(request, result);
                survival_note_applied(
                        session, request->message->id, (uint32_t)request->index, result);
        } else if (result || decommits) {
                holder_note(session->holder, result);
        }
}
