// SPDX-License-Identifier: Apache-2.0
/*
 * Accounting and reclaim of memory that is in swap: a swap device of compressed memory (zram) is
 * made for this program alone, and undone whatever happens to it. A client process fills ranges of
 * all kinds and has them paged out.
 */
#include "memory/fixture.h"

#include "base/clock.h"
#include "memory/swap_device.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* ---- clients: processes of their own -----------------------------------------------------------
 */

/* What every test begins with: a range of each kind, of which every stride-th page is filled. */
static struct {
        struct range range;
        unsigned stride;
        uint64_t committed;
} filled[KIND_COUNT];

static struct holder *holder;

static uint64_t word_of(uint64_t page)
{
        return page * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static bool fill(unsigned char *base)
{
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                for (uint64_t at = filled[kind].range.start; at < filled[kind].range.end;
                        at += filled[kind].stride * FIXTURE_PAGE)
                        for (uint64_t i = 0; i < FIXTURE_PAGE; i += sizeof(uint64_t))
                                *(uint64_t *)(base + at + i) = word_of(at / FIXTURE_PAGE + i);
        return true;
}

/* Reads no page that was not filled: that would commit it. */
static bool read_back(unsigned char *base)
{
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                for (uint64_t at = filled[kind].range.start; at < filled[kind].range.end;
                        at += filled[kind].stride * FIXTURE_PAGE)
                        for (uint64_t i = 0; i < FIXTURE_PAGE; i += sizeof(uint64_t))
                                if (*(uint64_t *)(base + at + i) != word_of(at / FIXTURE_PAGE + i))
                                        return false;
        return true;
}

static bool read_one_kind(unsigned char *base)
{
        volatile unsigned char *bytes = base;
        unsigned char sum = 0;

        for (uint64_t at = filled[KIND_ANONYMOUS].range.start;
                at < filled[KIND_ANONYMOUS].range.end; at += FIXTURE_PAGE)
                sum |= bytes[at];
        return sum != 0;
}

/* mincore(2) calls a page in swap absent: a second opinion, for once what is wanted. */
static uint64_t count_resident(unsigned char *base, size_t size)
{
        static unsigned char present[65536];
        uint64_t count = 0;

        if (size / FIXTURE_PAGE > sizeof(present) || mincore(base, size, present) < 0)
                return UINT64_MAX;
        for (size_t i = 0; i < size / FIXTURE_PAGE; i++)
                count += present[i] & 1;
        return count;
}

/*
 * What this process has touched. Again and again, on one core after the other: MADV_PAGEOUT passes
 * over pages that wait in a core's list of new ones, and moves on those of its own core only.
 */
static bool page_out(unsigned char *base)
{
        size_t size = filled[KIND_COUNT - 1].range.end;
        uint64_t deadline = clock_now() + 10 * NSEC_PER_SEC;
        long cores = sysconf(_SC_NPROCESSORS_CONF);

        for (long turn = 0; count_resident(base, size); turn++) {
                cpu_set_t core;

                CPU_ZERO(&core);
                CPU_SET((size_t)(turn % cores), &core);
                (void)sched_setaffinity(0, sizeof(core), &core); /* it may be offline: the next */
                if (madvise(base, size, MADV_PAGEOUT) < 0 || clock_now() > deadline)
                        return false;
        }
        return true;
}

static bool fill_and_page_out(unsigned char *base)
{
        return fill(base) && page_out(base);
}

static bool read_back_and_page_out(unsigned char *base)
{
        return read_back(base) && page_out(base);
}

/* A process that maps the pool's file, does that, and ends. */
static void client(bool (*work)(unsigned char *base))
{
        size_t size = filled[KIND_COUNT - 1].range.end;
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd(pool), 0);

                _exit(base != MAP_FAILED && work(base) ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

static void set_up(void)
{
        fixture_set_up();
        memory->rest_pages = 1; /* where there is swap nothing is counted as the rest */
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                uint64_t count = 300 + 10 * kind;

                filled[kind].range = take(holder, count, kind);
                filled[kind].stride = 1 + kind % 3;
                filled[kind].committed =
                        (count + filled[kind].stride - 1) / filled[kind].stride * FIXTURE_PAGE;
        }
}

static void tear_down(void)
{
        holder = holder_free(holder);
        fixture_tear_down();
}

static void count_by(enum accounting accounting)
{
        ck_assert_int_eq(account_choose(accounting, &memory->accounting), 0);
}

static const enum accounting ways[] = {ACCOUNTING_CACHESTAT, ACCOUNTING_SEEK};

/* All that was filled and no more; nothing freed or stray. */
static void expect_filled(const struct pool_usage *usage)
{
        uint64_t sum = 0;

        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ck_assert_uint_eq(usage->committed[kind], filled[kind].committed);
                sum += usage->committed[kind];
        }
        ck_assert_uint_eq(usage->reclaimable_committed, 0);
        ck_assert_uint_eq(usage->stray, 0);
        ck_assert_uint_eq(usage->total, sum);
        ck_assert_uint_eq(stored(), sum);
        ck_assert(usage->exact);
}

START_TEST(swapped_pages_are_committed_in_every_kind)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage = usage_after_scan();
        expect_filled(&usage);
        ck_assert_uint_eq(usage.swapped, ways[_i] == ACCOUNTING_CACHESTAT ? usage.total : 0);
}
END_TEST

START_TEST(what_was_counted_before_stays_when_it_is_swapped)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill);
        usage = usage_after_scan();
        expect_filled(&usage);
        ck_assert_uint_eq(usage.swapped, 0);
        client(read_back_and_page_out);
        usage = usage_after_scan();
        expect_filled(&usage);
}
END_TEST

START_TEST(what_comes_back_is_what_was_written)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage_after_scan();
        client(read_back);
        usage = usage_after_scan();
        expect_filled(&usage);
}
END_TEST

START_TEST(some_in_memory_and_some_in_swap_are_exact)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        filled[KIND_ANONYMOUS].stride = 1;
        filled[KIND_ANONYMOUS].committed =
                filled[KIND_ANONYMOUS].range.end - filled[KIND_ANONYMOUS].range.start;
        client(fill_and_page_out);
        client(read_one_kind);
        usage = usage_after_scan();
        expect_filled(&usage);
        if (ways[_i] == ACCOUNTING_CACHESTAT) {
                ck_assert_uint_gt(usage.swapped, 0);
                ck_assert_uint_le(usage.swapped, usage.total - filled[KIND_ANONYMOUS].committed);
        }
}
END_TEST

START_TEST(decommitted_swap_is_gone)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage_after_scan();
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                ck_assert_int_eq(decommit(holder, filled[kind].range, false), 0);
        ck_assert_uint_eq(stored(), 0);
        usage = usage_after_scan();
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ck_assert_uint_eq(usage.committed[kind], 0);
                ck_assert(client_reads_zero(filled[kind].range));
        }
        ck_assert_uint_eq(usage.swapped, 0);
}
END_TEST

START_TEST(freed_swap_is_given_back)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage_after_scan();
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                ck_assert_int_eq(pool_decref(holder, filled[kind].range), 0);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.reclaimable_committed, stored());
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.swapped, 0);
        ck_assert_uint_eq(usage.total, 0);
}
END_TEST

START_TEST(half_a_freed_range_leaves_the_other_half_in_swap)
{
        struct range range = filled[KIND_SYSTEM].range, half = range;
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        half.end = half.start + (range.end - range.start) / 2;
        ck_assert_int_eq(pool_decref(holder, half), 0);
        reclaim_all();
        usage = usage_after_scan();
        filled[KIND_SYSTEM].committed = range.end - half.end;
        expect_filled(&usage);
        ck_assert_uint_eq(usage.swapped, ways[_i] == ACCOUNTING_CACHESTAT ? usage.total : 0);
}
END_TEST

static int run_tests(void)
{
        enum accounting accounting;
        int first = account_choose(ACCOUNTING_CACHESTAT, &accounting) == -ENOSYS;
        Suite *suite = suite_create("swap");
        TCase *swap = harness_case(suite, "swap", 60);

        tcase_add_checked_fixture(swap, set_up, tear_down);
        tcase_add_loop_test(swap, swapped_pages_are_committed_in_every_kind, first, 2);
        tcase_add_loop_test(swap, what_was_counted_before_stays_when_it_is_swapped, first, 2);
        tcase_add_loop_test(swap, what_comes_back_is_what_was_written, first, 2);
        tcase_add_loop_test(swap, some_in_memory_and_some_in_swap_are_exact, first, 2);
        tcase_add_loop_test(swap, decommitted_swap_is_gone, first, 2);
        tcase_add_loop_test(swap, freed_swap_is_given_back, first, 2);
        tcase_add_loop_test(swap, half_a_freed_range_leaves_the_other_half_in_swap, first, 2);
        if (first)
                printf("no cachestat in this kernel: SEEK_DATA alone is tested\n");
        return harness_run(suite);
}

int main(void)
{
        if (geteuid() != 0) {
                printf("a swap device needs root\n");
                return GUARDIAN_SKIPPED;
        }
        return guardian_run(swap_device_make, swap_device_undo, run_tests);
}
