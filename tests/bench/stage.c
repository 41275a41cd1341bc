// SPDX-License-Identifier: Apache-2.0
#include "bench/stage.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (300 * NSEC_PER_SEC)

int stage_open(struct stage *stage, uint64_t capacity)
{
        struct memory_options memory_options = {.accounting = ACCOUNTING_BEST};
        struct pool_options pool_options = {
                .name = "bench",
                .capacity = (capacity + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE,
        };
        int r;

        *stage = (struct stage){.page_size = (uint64_t)sysconf(_SC_PAGESIZE)};
        r = memory_new(&memory_options, &stage->memory);
        if (r == 0)
                r = memory_start(stage->memory);
        if (r == 0)
                r = pool_new(stage->memory, &pool_options, &stage->pool);
        if (r == 0)
                r = holder_new(stage->pool, &stage->holder);
        if (r != 0)
                stage_close(stage);
        return r;
}

void stage_close(struct stage *stage)
{
        memory_stop(stage->memory);
        stage->holder = holder_free(stage->holder);
        stage->pool = pool_free(stage->pool);
        stage->memory = memory_free(stage->memory);
}

int stage_allocate(struct stage *stage, uint64_t pages, enum kind kind, struct range *ret)
{
        uint64_t size;

        return pool_allocate(stage->holder, pages * stage->page_size, kind, ret, &size);
}

/* Short enough to see the end in time, long enough not to take the reclaim thread's core. */
static void wait_a_moment(void)
{
        struct timespec moment = {.tv_nsec = 20000};

        nanosleep(&moment, NULL);
}

int stage_wait_reclaimed(struct stage *stage)
{
        uint64_t deadline = clock_now() + PATIENCE;
        struct pool_usage usage;

        do {
                pool_usage(stage->pool, &usage);
                if (!usage.reclaimable)
                        return 0;
                wait_a_moment();
        } while (clock_now() < deadline);
        return -ETIMEDOUT;
}

int stage_wait_stored(struct stage *stage, uint64_t bytes)
{
        uint64_t deadline = clock_now() + PATIENCE;
        struct stat status;

        do {
                if (fstat(pool_fd(stage->pool), &status) < 0)
                        return -errno;
                if ((uint64_t)status.st_blocks * 512 == bytes)
                        return 0;
                wait_a_moment();
        } while (clock_now() < deadline);
        return -ETIMEDOUT;
}

double stage_metadata(struct stage *stage)
{
        struct pool_information information;

        pool_information(stage->pool, &information);
        return (double)information.metadata / (double)information.entries;
}
