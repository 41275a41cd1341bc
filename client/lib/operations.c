// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "huge.h"
#include "text.h"

#include <errno.h>

const char *filemem_kind_name(enum filemem_kind kind)
{
        static const char *const names[] = {
                [FILEMEM_SYSTEM] = "System",
                [FILEMEM_ANONYMOUS] = "Anonymous",
                [FILEMEM_PAGE_CACHE] = "PageCache",
                [FILEMEM_TMPFS] = "Tmpfs",
                [FILEMEM_RAMDISKFS] = "Ramdiskfs",
                [FILEMEM_MAPPED] = "Mapped",
        };

        return (unsigned)kind < FILEMEM_KINDS ? names[kind] : NULL;
}

int filemem_ping(filemem_session *session)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Ping ping = FILEMEM__PING__INIT;

        if (!session)
                return -EINVAL;
        operation.body_case = FILEMEM__OPERATION__BODY_PING;
        operation.ping = &ping;
        return call_simple(session, &operation);
}

/* IncRef and DecRef are told apart by their case alone. */
static void fill_range(Filemem__Operation *operation, Filemem__Range *message,
        struct filemem_range range, Filemem__Operation__BodyCase body)
{
        message->start = range.start;
        message->end = range.end;
        operation->body_case = body;
        if (body == FILEMEM__OPERATION__BODY_INCREF)
                operation->incref = message;
        else
                operation->decref = message;
}

static int change_refs(
        filemem_session *session, struct filemem_range range, Filemem__Operation__BodyCase body)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Range message = FILEMEM__RANGE__INIT;
        int r;

        if (!session)
                return -EINVAL;
        r = arguments_check_range(session, range);
        if (r < 0)
                return r;
        if (body == FILEMEM__OPERATION__BODY_DECREF)
                huge_forget(session, range);
        fill_range(&operation, &message, range, body);
        r = call_simple(session, &operation);
        if (r < 0 && body == FILEMEM__OPERATION__BODY_DECREF)
                fence_take(session, range);
        if (r == 0 && body == FILEMEM__OPERATION__BODY_INCREF)
                huge_want(session, range);
        return r;
}

int filemem_incref(filemem_session *session, struct filemem_range range)
{
        return change_refs(session, range, FILEMEM__OPERATION__BODY_INCREF);
}

int filemem_decref(filemem_session *session, struct filemem_range range)
{
        return change_refs(session, range, FILEMEM__OPERATION__BODY_DECREF);
}

int filemem_release(filemem_session *session, struct filemem_range range)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Range message = FILEMEM__RANGE__INIT;
        int r;

        if (!session)
                return -EINVAL;
        r = arguments_check_range(session, range);
        if (r < 0)
                return r;
        huge_forget(session, range);
        fill_range(&operation, &message, range, FILEMEM__OPERATION__BODY_DECREF);
        return call_send(session, &operation);
}

uint64_t filemem_lost_errors(filemem_session *session, int *ret_error, char *ret_text, size_t size)
{
        uint64_t count;

        if (!session || arguments_check_call(session) < 0)
                return 0;
        /* If the daemon is gone the count that there is still stands. */
        (void)call_drain(session);
        pthread_mutex_lock(&session->lock);
        count = session->lost_errors;
        if (ret_error)
                *ret_error = session->lost_error;
        if (ret_text)
                text_copy(ret_text, size, session->lost_text);
        pthread_mutex_unlock(&session->lock);
        return count;
}

int filemem_decommit(filemem_session *session, struct filemem_range range, unsigned flags)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Decommit decommit = FILEMEM__DECOMMIT__INIT;
        int r;

        if (!session)
                return -EINVAL;
        r = arguments_check_range(session, range);
        if (r < 0)
                return r;
        if (flags & ~FILEMEM_DECOMMIT_SHARED)
                return text_set(session, -EINVAL, "unknown flags");
        decommit.start = range.start;
        decommit.end = range.end;
        decommit.shared = (flags & FILEMEM_DECOMMIT_SHARED) != 0;
        operation.body_case = FILEMEM__OPERATION__BODY_DECOMMIT;
        operation.decommit = &decommit;
        return call_simple(session, &operation);
}
