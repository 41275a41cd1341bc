// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "huge.h"
#include "populate.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>

static int check(const filemem_session *session, uint64_t length, enum filemem_kind kind,
        enum filemem_mode mode, const struct filemem_range *ret)
{
        int r = arguments_check_length(session, length);

        if (r < 0)
                return r;
        if (!ret)
                return text_set(session, -EINVAL, "no place for the range");
        if ((unsigned)kind >= FILEMEM_KINDS)
                return text_set(session, -EINVAL, "unknown kind: use 0 to 5");
        if ((unsigned)mode > FILEMEM_POPULATE)
                return text_set(session, -EINVAL, "unknown mode");
        return 0;
}

/* Asks the daemon. *ret_committed: whether it knows of modes, and committed. */
static int ask(filemem_session *session, Filemem__Allocate *allocate, struct filemem_range *ret,
        bool *ret_committed)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        const Filemem__Allocated *allocated;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        operation.body_case = FILEMEM__OPERATION__BODY_ALLOCATE;
        operation.allocate = allocate;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_ALLOCATED, &exchange, &result);
        if (r < 0)
                return r;
        allocated = result->allocated;
        if (arguments_is_range(session, allocated->start, allocated->end) &&
                allocated->end - allocated->start == allocate->length) {
                *ret = (struct filemem_range){allocated->start, allocated->end};
                *ret_committed = allocated->committed;
        } else {
                r = text_set(session, -EPROTO, "the daemon allocated something else");
        }
        call_end(session, exchange);
        return r;
}

/* Gives the range back, with the sentence of why. When that fails it goes with the session. */
static int undo(
        filemem_session *session, struct filemem_range range, int error, const char *sentence)
{
        (void)filemem_decref(session, range);
        return text_set(session, error, sentence);
}

/* Maps the range and populates it, piece by piece where there is no window. */
static int populate_range(
        filemem_session *session, struct filemem_range range, const char **ret_sentence)
{
        uint64_t start = range.start;
        int r = window_make(&session->window);

        *ret_sentence = "the range could not be mapped in this process";
        if (r < 0)
                return r;
        while (start < range.end) {
                uint64_t end = range.end;
                unsigned char *address;

                if (!session->window.base && end > (start | (session->chunk_size - 1)) + 1)
                        end = (start | (session->chunk_size - 1)) + 1;
                r = window_map(&session->window, start, end, &address);
                if (r < 0)
                        return r;
                huge_advise(session, (struct filemem_range){start, end});
                r = populate(address, (size_t)(end - start), ret_sentence);
                if (r < 0)
                        return r;
                start = end;
        }
        return 0;
}

/* That there are huge pages is a wish: without them it has all that was asked for. */
static void collapse(filemem_session *session, struct filemem_range range)
{
        unsigned char *address;

        if (!session->huge.states || range.end - range.start < HUGEPAGE_SIZE ||
                window_map(&session->window, range.start, range.end, &address) < 0)
                return;
        huge_advise(session, range);
        huge_collapse(session, range);
}

int filemem_allocate_mode(filemem_session *session, uint64_t length, enum filemem_kind kind,
        enum filemem_mode mode, struct filemem_range *ret)
{
        Filemem__Allocate allocate = FILEMEM__ALLOCATE__INIT;
        const char *sentence = "";
        struct filemem_range range = {0};
        bool committed = false;
        int r;

        if (!session)
                return -EINVAL;
        r = check(session, length, kind, mode, ret);
        if (r < 0)
                return r;
        allocate.length = length;
        allocate.kind = (Filemem__Kind)kind;
        if (mode == FILEMEM_COMMIT)
                allocate.mode = FILEMEM__MODE__MODE_COMMIT;
        r = ask(session, &allocate, &range, &committed);
        if (r < 0)
                return r;
        huge_want(session, range);
        if (mode == FILEMEM_COMMIT && !committed)
                return undo(session, range, -ENOSYS, "the daemon is older than committing");
        if (mode == FILEMEM_COMMIT)
                collapse(session, range);
        if (mode == FILEMEM_POPULATE)
                r = populate_range(session, range, &sentence);
        if (r < 0)
                return undo(session, range, r, sentence);
        *ret = range;
        return 0;
}

int filemem_allocate(filemem_session *session, uint64_t length, enum filemem_kind kind,
        struct filemem_range *ret)
{
        return filemem_allocate_mode(session, length, kind, FILEMEM_LAZY, ret);
}
