// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/error.h"

#include <errno.h>

/*
 * Committing a range that is being prepared: the kernel is made to store its pages, so that there
 * is no SIGBUS for want of memory when they are touched.
 *
 * The kernel would rather kill than refuse: fallocate() in a cgroup at its limit brings a SIGKILL,
 * and where the host is out of memory somebody's. So the daemon asks first what there is left, for
 * all of the range and again before each piece, as others take memory meanwhile. What it has
 * promised to other preparations counts as taken.
 */

/* This takes some ten milliseconds, for part of which the kernel holds the file's lock. */
#define COMMIT_PIECE (UINT64_C(32) << 20)

/* Whether there is memory for all that was promised. */
static int check_budget(struct memory *memory)
{
        uint64_t available;
        int r = memory->available(&available);

        if (r < 0)
                return r;
        return memory->committing > available ? OUTCOME_OVER_BUDGET : 0;
}

int commit_begin(struct pool_job *job)
{
        job->promised = job->range.end - job->range.start;
        job->scans_begun = atomic_load(&job->pool->scans_begun);
        job->pool->memory->committing += job->promised;
        return check_budget(job->pool->memory);
}

int commit_piece(struct pool_job *job)
{
        struct memory *memory = job->pool->memory;
        struct range piece = job->left;
        int r = check_budget(memory);

        if (r)
                return r;
        if (piece.end - piece.start > COMMIT_PIECE)
                piece.end = piece.start + COMMIT_PIECE;
        r = memfile_commit(&job->pool->file, piece);
        if (r == -ENOMEM || r == -ENOSPC)
                return OUTCOME_NO_MEMORY;
        if (r < 0)
                return r;
        job->left.start = piece.end;
        job->promised -= piece.end - piece.start;
        memory->committing -= piece.end - piece.start;
        return 0;
}

void commit_end(struct pool_job *job)
{
        job->pool->memory->committing -= job->promised;
        job->promised = 0;
}
