// SPDX-License-Identifier: Apache-2.0
/*
 * Accounting and reclaim of huge pages: shared memory's are set to `advise` for the time of this
 * program, and put back whatever happens to it. A client process asks for them with madvise(2).
 */
#include "memory/fixture.h"

#include "support/guardian.h"
#include "support/huge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a client: a process that keeps its mapping while it lives ----------------------------------
 */

static pid_t client;
static int client_socket;

/* Maps [0, size) of the pool where huge pages fit, and touches one byte at each of the offsets. */
static bool client_work(uint64_t size, const uint64_t *offsets, size_t count)
{
        char *space =
                mmap(NULL, size + HUGEPAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *base;

        if (space == MAP_FAILED)
                return false;
        base = space + (HUGEPAGE_SIZE - (uintptr_t)space % HUGEPAGE_SIZE) % HUGEPAGE_SIZE;
        if (mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, pool_fd(pool), 0) ==
                MAP_FAILED)
                return false;
        if (madvise(base, size, MADV_HUGEPAGE) < 0)
                return false;
        for (size_t i = 0; i < count; i++)
                base[offsets[i]] = 0x5a;
        return true;
}

static void client_begin(uint64_t size, const uint64_t *offsets, size_t count)
{
        int pair[2];
        char byte = 0;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        client = fork();
        ck_assert_int_ge(client, 0);
        if (client == 0) {
                bool worked;

                close(pair[0]);
                worked = client_work(size, offsets, count) && write(pair[1], &byte, 1) == 1 &&
                         read(pair[1], &byte, 1) == 0;
                _exit(worked ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        close(pair[1]);
        client_socket = pair[0];
        ck_assert_int_eq(read(client_socket, &byte, 1), 1);
}

static void client_end(void)
{
        int status;

        close(client_socket);
        ck_assert_int_eq(waitpid(client, &status, 0), client);
        ck_assert_int_eq(status, 0);
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

static const enum accounting ways[] = {ACCOUNTING_CACHESTAT, ACCOUNTING_SEEK};
static struct holder *holder;

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &holder), 0);
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

static void touch(uint64_t offset)
{
        client_begin(4 * HUGEPAGE_SIZE, &offset, 1);
}

/* Scans, and requires that the parts add up to what the kernel stores. */
static struct pool_usage exact_usage(void)
{
        struct pool_usage usage = usage_after_scan();
        uint64_t sum = usage.reclaimable_committed + usage.stray;

        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                sum += usage.committed[kind];
        ck_assert_uint_eq(sum, stored());
        ck_assert_uint_eq(usage.total, stored());
        ck_assert(usage.exact);
        return usage;
}

START_TEST(one_byte_commits_a_huge_page)
{
        struct range range = take(holder, HUGEPAGE_SIZE / FIXTURE_PAGE, KIND_ANONYMOUS);
        struct pool_usage usage;

        count_by(ways[_i]);
        ck_assert_uint_eq(range.start % HUGEPAGE_SIZE, 0);
        touch(range.start + 12345);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], HUGEPAGE_SIZE);
        ck_assert_uint_eq(usage.stray, 0);
        client_end();
}
END_TEST

START_TEST(huge_pages_here_and_there_are_counted_in_their_kinds)
{
        struct range tmpfs = take(holder, 3 * HUGEPAGE_SIZE / FIXTURE_PAGE, KIND_TMPFS),
                     mapped = take(holder, HUGEPAGE_SIZE / FIXTURE_PAGE, KIND_MAPPED);
        const uint64_t offsets[] = {tmpfs.start, tmpfs.end - 1, mapped.start + 1};
        struct pool_usage usage;

        count_by(ways[_i]);
        client_begin(4 * HUGEPAGE_SIZE, offsets, 3);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 2 * HUGEPAGE_SIZE);
        ck_assert_uint_eq(usage.committed[KIND_MAPPED], HUGEPAGE_SIZE);
        client_end();
}
END_TEST

START_TEST(a_client_that_punches_half_of_one_leaves_half)
{
        struct range range = take(holder, HUGEPAGE_SIZE / FIXTURE_PAGE, KIND_ANONYMOUS);
        struct pool_usage usage;

        count_by(ways[_i]);
        touch(range.start);
        exact_usage();
        ck_assert_int_eq(fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 (off_t)range.start, HUGEPAGE_SIZE / 2),
                0);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], HUGEPAGE_SIZE / 2);
        client_end();
}
END_TEST

START_TEST(half_of_one_is_decommitted)
{
        struct range range = take(holder, HUGEPAGE_SIZE / FIXTURE_PAGE, KIND_ANONYMOUS),
                     half = range;
        struct pool_usage usage;

        count_by(ways[_i]);
        touch(range.start);
        exact_usage();
        half.end = half.start + HUGEPAGE_SIZE / 2;
        ck_assert_int_eq(decommit(holder, half, false), 0);
        ck_assert(client_reads_zero(half));
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], HUGEPAGE_SIZE / 2);
        client_end();
}
END_TEST

START_TEST(a_freed_part_of_one_is_given_back)
{
        struct range range = take(holder, HUGEPAGE_SIZE / FIXTURE_PAGE, KIND_ANONYMOUS);
        struct range part = {range.start + 5 * FIXTURE_PAGE, range.start + 8 * FIXTURE_PAGE};
        struct pool_usage usage;

        count_by(ways[_i]);
        touch(range.start);
        exact_usage();
        ck_assert_int_eq(pool_decref(holder, part), 0);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], HUGEPAGE_SIZE - 3 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.reclaimable_committed, 3 * FIXTURE_PAGE);
        reclaim_all();
        ck_assert_uint_eq(stored(), HUGEPAGE_SIZE - 3 * FIXTURE_PAGE);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], HUGEPAGE_SIZE - 3 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.stray, 0);
        client_end();
        ck_assert_int_eq(pool_decref(holder, (struct range){range.start, part.start}), 0);
        ck_assert_int_eq(pool_decref(holder, (struct range){part.end, range.end}), 0);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(one_under_two_ranges_is_counted_in_both)
{
        struct range first = take(holder, HUGEPAGE_SIZE / 4 / FIXTURE_PAGE, KIND_TMPFS),
                     second = take(holder, HUGEPAGE_SIZE / 4 * 3 / FIXTURE_PAGE, KIND_MAPPED);
        struct pool_usage usage;

        count_by(ways[_i]);
        ck_assert_uint_eq(first.end, second.start);
        touch(first.start);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], HUGEPAGE_SIZE / 4);
        ck_assert_uint_eq(usage.committed[KIND_MAPPED], HUGEPAGE_SIZE / 4 * 3);
        client_end();
}
END_TEST

START_TEST(what_one_has_beyond_its_range_is_stray_and_punched)
{
        struct range range = take(holder, HUGEPAGE_SIZE / 2 / FIXTURE_PAGE, KIND_TMPFS);
        struct pool_usage usage;

        count_by(ways[_i]);
        touch(range.start);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], HUGEPAGE_SIZE / 2);
        ck_assert_uint_eq(usage.stray, HUGEPAGE_SIZE / 2);
        reclaim_all();
        ck_assert_uint_eq(stored(), HUGEPAGE_SIZE / 2);
        usage = exact_usage();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], HUGEPAGE_SIZE / 2);
        ck_assert_uint_eq(usage.stray, 0);
        client_end();
}
END_TEST

static int run_tests(void)
{
        enum accounting accounting;
        int first = account_choose(ACCOUNTING_CACHESTAT, &accounting) == -ENOSYS;
        Suite *suite = suite_create("huge");
        TCase *huge = harness_case(suite, "huge", 30);

        tcase_add_checked_fixture(huge, set_up, tear_down);
        tcase_add_loop_test(huge, one_byte_commits_a_huge_page, first, 2);
        tcase_add_loop_test(huge, huge_pages_here_and_there_are_counted_in_their_kinds, first, 2);
        tcase_add_loop_test(huge, a_client_that_punches_half_of_one_leaves_half, first, 2);
        tcase_add_loop_test(huge, half_of_one_is_decommitted, first, 2);
        tcase_add_loop_test(huge, a_freed_part_of_one_is_given_back, first, 2);
        tcase_add_loop_test(huge, one_under_two_ranges_is_counted_in_both, first, 2);
        tcase_add_loop_test(huge, what_one_has_beyond_its_range_is_stray_and_punched, first, 2);
        if (first)
                printf("no cachestat in this kernel: SEEK_DATA alone is tested\n");
        return harness_run(suite);
}

int main(void)
{
        return guardian_run(huge_set_up, huge_undo, run_tests);
}
