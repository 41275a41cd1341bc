// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"

#include <stdatomic.h>

/*
 * For finding mistakes: what this session gives up is fenced in its window (MADV_GUARD_INSTALL), so
 * that a touch is a SIGSEGV at the culprit. The library counts the references of the session
 * itself, a byte for each page. Thread safe; under the window's lock.
 */
struct fence {
        unsigned char *pages; /* NULL: nothing is fenced */
};

/* The pool of the session is there; makes the window. Returns 0, -ENOSYS (kernel, or no window), or
 * -ENOMEM. */
int fence_init(filemem_session *session);
void fence_deinit(filemem_session *session);

/* The session has one reference more, and the range is to be touched. */
void fence_take(filemem_session *session, struct filemem_range range);

/* The range is to be touched, whoever holds it. */
void fence_lift(filemem_session *session, struct filemem_range range);

/* The session is about to give up one reference. */
void fence_drop(filemem_session *session, struct filemem_range range);
