// SPDX-License-Identifier: Apache-2.0
#include "support/honest.h"

#include "base/clock.h"
#include "support/harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE   UINT64_C(4096)
#define KEPT   (64 * PAGE)
#define ROUNDS 101

/* Two processors may be shared by a daemon, its clients, and other tests. */
#define LEVEL_FACTOR  20
#define LEVEL_NOISE   (5 * NSEC_PER_MSEC)
#define STALL         (2 * NSEC_PER_SEC)
#define RELEASED_SOON (30 * NSEC_PER_SEC)

/* So long at least, so that it sees what is done now and then; alone there is nothing to see. */
#define TIME_BESIDE (300 * NSEC_PER_MSEC)
#define TIME_ALONE  (30 * NSEC_PER_MSEC)

static uint64_t take_round(struct honest *honest)
{
        uint64_t begun = clock_now(), start;
        struct raw_operation operation;

        start = raw_get(&honest->raw, PAGE, 2);
        raw_decref(&operation, start, start + PAGE);
        raw_do(&honest->raw, &operation);
        raw_ping(&operation);
        raw_do(&honest->raw, &operation);
        return clock_now() - begun;
}

static int compare_times(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* The middle of the times, and the longest. */
static uint64_t measure(struct honest *honest, uint64_t time_at_least, uint64_t *ret_longest)
{
        uint64_t times[ROUNDS], until = clock_now() + time_at_least;

        *ret_longest = 0;
        for (size_t i = 0; i < ROUNDS || clock_now() < until; i++) {
                uint64_t time = take_round(honest);

                times[i % ROUNDS] = time;
                if (time > *ret_longest)
                        *ret_longest = time;
        }
        qsort(times, ROUNDS, sizeof(times[0]), compare_times);
        return times[ROUNDS / 2];
}

void honest_open(struct honest *honest, const char *socket)
{
        uint64_t longest;

        raw_open(&honest->raw, socket, "honest");
        honest->start = raw_get(&honest->raw, KEPT, 1);
        honest->memory = mmap(NULL, KEPT, PROT_READ | PROT_WRITE, MAP_SHARED, honest->raw.memfd,
                (off_t)honest->start);
        ck_assert_ptr_ne(honest->memory, MAP_FAILED);
        memset(honest->memory, 'h', KEPT);
        honest->baseline = measure(honest, TIME_ALONE, &longest);
}

static void check_level(struct honest *honest, const char *beside, uint64_t time_at_least)
{
        uint64_t longest, middle = measure(honest, time_at_least, &longest);
        uint64_t bound = (LEVEL_FACTOR * honest->baseline + LEVEL_NOISE) * harness_slowness();

        ck_assert_msg(middle < bound, "%s: the middle is %lu ns, alone it was %lu ns", beside,
                (unsigned long)middle, (unsigned long)honest->baseline);
        ck_assert_msg(longest < STALL * harness_slowness(), "%s: a stall of %lu ns", beside,
                (unsigned long)longest);
}

void honest_check_level(struct honest *honest, const char *beside)
{
        check_level(honest, beside, TIME_BESIDE);
}

void honest_check_level_again(struct honest *honest, const char *beside)
{
        check_level(honest, beside, TIME_ALONE);
}

/* The entry of what it keeps; asserts that all of it is one entry with the one reference. */
static void check_entry(struct honest *honest, const char *beside)
{
        struct raw_operation operation;
        const Filemem__DumpPage *page;

        raw_dump(&operation, honest->start, 1);
        page = raw_do(&honest->raw, &operation)->dump;
        ck_assert_msg(page->n_entries == 1 && page->entries[0]->start == honest->start &&
                              page->entries[0]->end == honest->start + KEPT &&
                              page->entries[0]->refs == 1,
                "%s: somebody has changed who holds it", beside);
}

void honest_check_memory(struct honest *honest, const char *beside)
{
        check_entry(honest, beside);
        for (size_t i = 0; i < KEPT; i++)
                ck_assert_msg(honest->memory[i] == 'h', "%s: byte %zu is lost", beside, i);
}

void honest_await_alone(struct honest *honest, const char *beside)
{
        uint64_t deadline = clock_now() + RELEASED_SOON * harness_slowness();
        struct stat info;
        size_t count;

        do {
                Filemem__DumpEntry *entries;
                struct raw_operation operation;

                raw_update_usage(&operation); /* finds what is stray */
                raw_do(&honest->raw, &operation);
                count = raw_dump_all(&honest->raw, &entries);
                free(entries);
                ck_assert_int_eq(fstat(honest->raw.memfd, &info), 0);
                if (count == 1 && (uint64_t)info.st_blocks * 512 == KEPT)
                        return;
                usleep(5000);
        } while (clock_now() < deadline);
        ck_abort_msg(
                "%s: %zu entries and %ld blocks are left", beside, count, (long)info.st_blocks);
}

void honest_close(struct honest *honest)
{
        munmap(honest->memory, KEPT);
        raw_close(&honest->raw);
}
