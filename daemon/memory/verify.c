// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include <errno.h>

/*
 * Zero pages, verified. A freed range was punched before it became a gap, but who kept a mapping
 * may have written since. So the kernel is asked whether it stores anything there, and what it does
 * is punched.
 *
 * This says what is so when the range is looked at. Who still writes through a stale mapping may do
 * so a moment later, and while the new owner uses the range: against that only another pool helps.
 */
int verify_piece(struct pool_job *job)
{
        struct pool *pool = job->pool;
        struct range piece = job->left, data;
        int r = memfile_find_data(&pool->file, job->left, &data);

        if (r == -ENXIO) {
                job->left.start = job->left.end;
                return 0;
        }
        if (r < 0 && r != -EAGAIN) /* -EAGAIN: it changes while we look. Then all is punched */
                return r;
        if (r == 0)
                piece.start = data.start;
        if (piece.end - piece.start > PUNCH_MAX)
                piece.end = piece.start + PUNCH_MAX;
        r = pool_punch(pool, piece);
        if (r < 0)
                r = memfile_zero(&pool->file, piece);
        if (r < 0)
                return r;
        job->left.start = piece.end;
        return 0;
}
