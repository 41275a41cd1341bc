// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.h"

/*
 * What can be seen to be wrong from here, with the sentence set. The daemon checks all of it again.
 * Each starts a call of this thread. Return 0, -EINVAL, or -ECHILD in a forked child.
 */
int arguments_check_call(const filemem_session *session);
int arguments_check_range(const filemem_session *session, struct filemem_range range);
int arguments_check_length(const filemem_session *session, uint64_t length);

/* A pool's name, NULL for the own one; *ret is it as messages have it, borrowed. */
int arguments_check_pool(const filemem_session *session, const char *pool, char **ret);

/* Whether a range that the daemon sent is aligned and not empty: it may be of any pool. */
static inline bool arguments_is_pages(const filemem_session *session, uint64_t start, uint64_t end)
{
        return start < end && ((start | end) & (session->page_size - 1)) == 0;
}

/* Whether it lies in the session's pool, too. */
static inline bool arguments_is_range(const filemem_session *session, uint64_t start, uint64_t end)
{
        return arguments_is_pages(session, start, end) && end <= session->capacity;
}
