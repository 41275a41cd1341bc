// SPDX-License-Identifier: Apache-2.0
#include "memory/fixture.h"

#include "base/clock.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct memory *memory;
struct pool *pool;

void fixture_set_up(void)
{
        struct memory_options memory_options = {.accounting = ACCOUNTING_BEST};
        struct pool_options pool_options = {.name = "test", .capacity = FIXTURE_CAPACITY};

        ck_assert_int_eq(memory_new(&memory_options, &memory), 0);
        ck_assert_int_eq(pool_new(memory, &pool_options, &pool), 0);
}

void fixture_tear_down(void)
{
        pool_validate(pool);
        memory_stop(memory);
        pool = pool_free(pool);
        memory = memory_free(memory);
}

struct range pages(uint64_t start, uint64_t end)
{
        return (struct range){start * FIXTURE_PAGE, end * FIXTURE_PAGE};
}

struct range take(struct holder *holder, uint64_t count, enum kind kind)
{
        struct range range;
        uint64_t size;

        ck_assert_int_eq(pool_allocate(holder, count * FIXTURE_PAGE, kind, &range, &size), 0);
        ck_assert_uint_eq(range.end - range.start, count * FIXTURE_PAGE);
        return range;
}

unsigned char *client_map(struct range range)
{
        void *address = mmap(NULL, range.end - range.start, PROT_READ | PROT_WRITE, MAP_SHARED,
                pool_fd(pool), (off_t)range.start);

        ck_assert_ptr_ne(address, MAP_FAILED);
        return address;
}

void client_unmap(unsigned char *address, struct range range)
{
        ck_assert_int_eq(munmap(address, range.end - range.start), 0);
}

void client_touch(struct range range, unsigned stride)
{
        unsigned char *address = client_map(range);

        for (uint64_t i = 0; i < range.end - range.start; i += stride * FIXTURE_PAGE)
                address[i] = 0x5a;
        client_unmap(address, range);
}

bool client_reads_zero(struct range range)
{
        unsigned char page[FIXTURE_PAGE];

        for (uint64_t at = range.start; at < range.end; at += sizeof(page)) {
                if (pread(pool_fd(pool), page, sizeof(page), (off_t)at) != sizeof(page))
                        return false;
                for (size_t i = 0; i < sizeof(page); i++)
                        if (page[i])
                                return false;
        }
        return true;
}

bool is_more(enum reclaim_result result)
{
        return result == RECLAIM_MORE || result == RECLAIM_REST;
}

void reclaim_all(void)
{
        while (is_more(reclaim_step(pool, clock_now()))) {
        }
}

static int job_result;

static void note_result(struct pool_job *job, int result)
{
        (void)job;
        job_result = result;
}

int decommit(struct holder *holder, struct range range, bool shared)
{
        struct pool_job job = {.done = note_result};

        job_result = 12345;
        pool_decommit(&job, holder, range, shared);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_MORE);
        ck_assert_int_ne(job_result, 12345);
        return job_result;
}

struct pool_usage usage_after_scan(void)
{
        struct pool_usage usage;

        ck_assert_int_eq(scan_run(pool), 0);
        pool_usage(pool, &usage);
        return usage;
}

uint64_t stored(void)
{
        struct memfile_state state;

        ck_assert_int_eq(memfile_stat(&pool->file, &state), 0);
        return state.stored;
}

void wait_until_stored(uint64_t bytes)
{
        uint64_t deadline = clock_now() + 10 * NSEC_PER_SEC;
        struct timespec moment = {.tv_nsec = 1000000};
        struct pool_usage usage;

        do {
                pool_usage(pool, &usage);
                if (!usage.reclaimable && stored() == bytes)
                        return;
                nanosleep(&moment, NULL);
        } while (clock_now() < deadline);
        ck_abort_msg("the file stores %lu bytes, not %lu", (unsigned long)stored(),
                (unsigned long)bytes);
}
