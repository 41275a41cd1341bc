// SPDX-License-Identifier: Apache-2.0
#include "server/once.h"

#include "memory/survive.h"
#include "server/handlers.h"
#include "server/state.h"

bool once_recall(struct request *request, const Filemem__Operation *operation,
        Filemem__Result *result, int *ret)
{
        const struct session *session = request->session;
        struct pool_result kept;

        if (!session->kept || session->once != request->message->id ||
                !holder_recall(
                        session->holder, request->message->id, (uint32_t)request->index, &kept))
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

int once_begin(struct request *request)
{
        const struct session *session = request->session;
        int r;

        if (!session->kept)
                return 0;
        r = holder_begin(session->holder, request->message->id, (uint32_t)request->index);
        request->begun = r == 0;
        return r;
}

void once_note(struct request *request, int result)
{
        const Filemem__Operation *operation = request->message->operations[request->index];
        bool decommits = operation->body_case == FILEMEM__OPERATION__BODY_DECOMMIT;

        if (request->begun && (result || decommits))
                holder_note(request->session->holder, result);
        request->begun = false;
}
