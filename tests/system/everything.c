// SPDX-License-Identifier: Apache-2.0
#include "everything.h"

#include <errno.h>
#include <poll.h>
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

static unsigned completed;

static void complete(const struct filemem_completion *completion)
{
        completed += completion->result == 0;
}

/* Four messages, and one that is not full. */
static int submit_many(filemem_queue *queue)
{
        struct filemem_operation one = {.code = FILEMEM_DO_PING, .done = complete};
        int wrong = 0;

        for (unsigned i = 0; i < 1025; i++) {
                one.code = i % 2 ? FILEMEM_DO_PING : FILEMEM_DO_USAGE;
                wrong += filemem_submit(queue, &one, 1) != 0;
        }
        return wrong;
}

static int queue_many(filemem_session *mine)
{
        filemem_queue *queue;
        int wrong = 0;

        completed = 0;
        if (filemem_queue_open(mine, NULL, &queue) < 0)
                return 1;
        wrong += submit_many(queue);
        wrong += filemem_wait(queue, 100) != 0;
        wrong += filemem_wait(queue, 0) != 0;
        wrong += completed != 1025;
        filemem_queue_close(queue);
        return wrong;
}

int everything_in_a_loop(filemem_session *mine)
{
        filemem_queue *queue;
        int wrong = 0, fd;

        completed = 0;
        if (filemem_queue_open(mine, NULL, &queue) < 0)
                return 1;
        fd = filemem_queue_fd(queue);
        wrong += fd < 0;
        wrong += submit_many(queue);
        wrong += filemem_flush(queue) != 0;
        /* Who waits for an answer takes in what was asked before, and tells the loop. */
        wrong += filemem_ping(mine) != 0;
        while (wrong == 0 && completed < 1025) {
                struct pollfd wanted = {.fd = fd, .events = POLLIN};

                wrong += poll(&wanted, 1, -1) != 1;
                wrong += filemem_dispatch(queue) < 0;
        }
        filemem_queue_close(queue);
        filemem_close(mine);
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
        wrong += queue_many(mine);
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
