// SPDX-License-Identifier: Apache-2.0
#include "everything.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define MIB      (UINT64_C(1) << 20)
#define RELEASES 5000
#define BLOCKS   8

/* Contiguous where there is a window, else in blocks. Writes to each of them. */
static int map(filemem_session *mine, struct filemem_range range)
{
        const int both = PROT_READ | PROT_WRITE;
        struct filemem_block blocks[BLOCKS];
        int count = filemem_map_blocks(mine, range, both, blocks, BLOCKS);
        void *address;
        int r = filemem_map(mine, range, both, &address);

        if (count < 1 || count > BLOCKS || r != (count == 1 ? 0 : -ERANGE))
                return 1;
        for (int i = 0; i < count; i++)
                memset(blocks[i].address, 1, MIB);
        return 0;
}

/* More than the socket holds, each with an answer: the way that polls. */
static int release_what_is_not_held(filemem_session *mine)
{
        struct filemem_range none = {
                filemem_capacity(mine) - 2 * MIB, filemem_capacity(mine) - MIB};
        int wrong = 0;

        for (unsigned i = 0; i < RELEASES; i++)
                wrong += filemem_release(mine, none) != 0;
        wrong += filemem_ping(mine) != 0;
        wrong += filemem_lost_errors(mine, NULL, NULL, 0) != RELEASES;
        return wrong;
}

int everything_with(filemem_session *mine)
{
        const int both = PROT_READ | PROT_WRITE;
        struct filemem_range range;
        struct filemem_usage usage;
        uint64_t total;
        void *address;
        int wrong = 0;

        wrong += filemem_ping(mine) != 0;
        wrong += filemem_allocate(mine, 40 * MIB, FILEMEM_ANONYMOUS, &range) != 0;
        wrong += filemem_incref(mine, range) != 0;
        wrong += map(mine, range);
        wrong += filemem_decommit(mine, range, 0) != 0;
        wrong += filemem_total_usage(mine, &total) != 0 || total != 0;
        wrong += filemem_map_into(mine, range, NULL, both, FILEMEM_MAP_PRECOMMIT, &address) != 0;
        wrong += filemem_update_usage(mine, &usage) != 0;
        wrong += filemem_decref(mine, range) != 0;
        wrong += filemem_allocate_mode(mine, MIB, FILEMEM_TMPFS, FILEMEM_COMMIT, &range) != 0;
        wrong += filemem_allocate_mode(mine, MIB, FILEMEM_TMPFS, FILEMEM_POPULATE, &range) != 0;
        wrong += filemem_allocate(mine, 1, FILEMEM_ANONYMOUS, &range) != -EINVAL;
        wrong += release_what_is_not_held(mine);
        filemem_close(mine);
        return wrong;
}

int everything_at_once(filemem_session *mine)
{
        int wrong = 0;

        for (int i = 0; i < 3000; i++)
                wrong += filemem_ping(mine) != 0;
        return wrong;
}
