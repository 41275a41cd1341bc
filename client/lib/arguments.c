// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"

#include "proto/wire.h"
#include "text.h"

#include <errno.h>
#include <string.h>

int arguments_check_call(const filemem_session *session)
{
        text_clear();
        if (fork_guard_is_child(&session->guard))
                return text_set(session, -ECHILD, "this process is a child of the session's");
        return 0;
}

int arguments_check_range(const filemem_session *session, struct filemem_range range)
{
        int r = arguments_check_call(session);

        if (r < 0)
                return r;
        if (range.start >= range.end)
                return text_set(
                        session, -EINVAL, "range is empty or its end lies before its start");
        if ((range.start | range.end) & (session->page_size - 1))
                return text_set(
                        session, -EINVAL, "range does not start and end at a page boundary");
        if (range.end > session->capacity)
                return text_set(session, -EINVAL, "range ends beyond the capacity of the pool");
        return 0;
}

int arguments_check_length(const filemem_session *session, uint64_t length)
{
        int r = arguments_check_call(session);

        if (r < 0)
                return r;
        if (!length)
                return text_set(session, -EINVAL, "length is zero: ask for at least one page");
        if (length & (session->page_size - 1))
                return text_set(session, -EINVAL, "length is not a multiple of the page size");
        return 0;
}

int arguments_check_pool(const filemem_session *session, const char *pool, char **ret)
{
        int r = arguments_check_call(session);

        if (r < 0)
                return r;
        if (pool && strlen(pool) > WIRE_POOL_MAX)
                return text_set(session, -EINVAL, "the name of the pool is too long");
        *ret = (char *)(uintptr_t)(pool ? pool : "");
        return 0;
}
