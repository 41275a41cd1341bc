// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include <errno.h>

/*
 * Where stray pages are. SEEK_DATA does not tell: pages that a client had the kernel allocate
 * (fallocate) and never touched are a hole to it, and memory all the same. So where pages can be
 * counted, a run is closed in on by counting: what is empty is passed by in ever longer pieces,
 * what has some pages is halved, and what is full is found.
 */
static int find_counted(const struct pool *pool, struct range gap, struct range *ret)
{
        uint64_t page = pool->file.page_size, length = CHUNK_SIZE;

        while (gap.start < gap.end) {
                struct account_count found;
                struct range piece = {gap.start, gap.end};
                int r;

                if (piece.end - piece.start > length)
                        piece.end = piece.start + length;
                r = account_count(pool->memory->accounting, &pool->file, piece, &found);
                if (r < 0)
                        return r;
                length = piece.end - piece.start;
                if (!found.committed) {
                        gap.start = piece.end;
                        length = 2 * length;
                } else if (found.committed < length && length > page) {
                        length = length / page / 2 * page;
                } else if (length > CHUNK_SIZE) {
                        length = CHUNK_SIZE;
                } else {
                        *ret = piece;
                        return 0;
                }
        }
        return -ENXIO;
}

int stray_find(const struct pool *pool, struct range gap, struct range *ret)
{
        if (pool->memory->accounting == ACCOUNTING_CACHESTAT)
                return find_counted(pool, gap, ret);
        return memfile_find_data(&pool->file, gap, ret);
}
