// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"

#include <stdatomic.h>

#define HUGEPAGE_SHIFT 21
#define HUGEPAGE_SIZE  (UINT64_C(1) << HUGEPAGE_SHIFT)

/*
 * Where a session asks the kernel for huge pages, in a pool that wants them.
 *
 * A huge page is 2 MiB of the file: under small ranges it would commit what belongs to others, or
 * to nobody. So chunks are mapped with MADV_NOHUGEPAGE, and MADV_HUGEPAGE is said only of whole
 * hugepages inside of a range that this session allocated, or took a reference on, as one of 2 MiB
 * or more; when it gives up a part, that is taken back before the daemon can give the place away.
 *
 * Each hugepage of the pool has a state. What is mapped in the session's window can be asked for;
 * without a window nothing is. Advice that the kernel refuses is not repeated: there are small
 * pages then. Thread safe; what changes a state holds the window's lock.
 */
struct huge {
        atomic_uchar *states; /* NULL: nothing is asked for */
};

/*
 * The pool of the session is there. Where huge pages are wanted the window is made now. Where there
 * is no memory nothing is asked for.
 */
void huge_init(filemem_session *session);
void huge_deinit(filemem_session *session);

/* The session has the range now. This and the two like it tell the fence (fence.h) too. */
void huge_want(filemem_session *session, struct filemem_range range);

/* The range is mapped in the window. */
void huge_advise(filemem_session *session, struct filemem_range range);

/*
 * What the daemon has committed of the range, which is in small pages, becomes huge ones, as far as
 * there are any. The range is mapped in the window.
 */
void huge_collapse(filemem_session *session, struct filemem_range range);

/* The range is mapped at another address of the caller's. */
void huge_advise_mapping(
        filemem_session *session, struct filemem_range range, unsigned char *address);

/* The session is about to give up the range, or a reference on it. */
void huge_forget(filemem_session *session, struct filemem_range range);
