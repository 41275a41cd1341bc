// SPDX-License-Identifier: Apache-2.0
#include "memory/fixture.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

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

static uint64_t scans(void)
{
        struct memory_statistics statistics;

        memory_statistics(memory, &statistics);
        return statistics.scans;
}

/* Committed over kinds, reclaimable and stray are what the kernel stores. */
static void expect_exact(const struct pool_usage *usage)
{
        uint64_t sum = usage->reclaimable_committed + usage->stray;

        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                sum += usage->committed[kind];
        ck_assert_uint_eq(sum, stored());
        ck_assert_uint_eq(usage->total, stored());
        ck_assert(usage->exact);
}

START_TEST(every_second_page_is_counted_and_the_entry_stays_whole)
{
        struct range range = take(holder, 1000, KIND_PAGE_CACHE);
        struct pool_usage usage;

        client_touch(range, 2);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_PAGE_CACHE], 500 * FIXTURE_PAGE);
        ck_assert_uint_eq(pool->tree.totals.entries, 1);
        expect_exact(&usage);
}
END_TEST

START_TEST(a_read_through_the_mapping_commits_too)
{
        struct range range = take(holder, 4, KIND_TMPFS);
        volatile unsigned char *address = client_map(range);
        struct pool_usage usage;

        ck_assert_uint_eq(address[2 * FIXTURE_PAGE], 0);
        client_unmap((unsigned char *)address, range);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], FIXTURE_PAGE);
}
END_TEST

START_TEST(if_nothing_changed_the_kernel_is_asked_no_more_than_fstat)
{
        struct range range = take(holder, 100, KIND_TMPFS);

        client_touch(range, 1);
        usage_after_scan();
        ck_assert_uint_eq(scans(), 1);
        usage_after_scan();
        ck_assert_uint_eq(scans(), 1);
        take(holder, 1, KIND_TMPFS);
        usage_after_scan();
        ck_assert_uint_eq(scans(), 1);
        client_touch(pages(100, 101), 1);
        usage_after_scan();
        ck_assert_uint_eq(scans(), 2);
}
END_TEST

START_TEST(a_client_that_punches_here_and_touches_there_is_seen)
{
        struct range tmpfs = take(holder, 8, KIND_TMPFS), mapped = take(holder, 8, KIND_MAPPED);
        struct pool_usage usage;

        client_touch(tmpfs, 1);
        usage_after_scan();
        ck_assert_int_eq(fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 (off_t)tmpfs.start, 3 * FIXTURE_PAGE),
                0);
        client_touch((struct range){mapped.start, mapped.start + 3 * FIXTURE_PAGE}, 1);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 5 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.committed[KIND_MAPPED], 3 * FIXTURE_PAGE);
        expect_exact(&usage);
}
END_TEST

START_TEST(estimates_become_exact)
{
        struct range range = take(holder, 100, KIND_TMPFS);
        struct pool_usage usage;

        client_touch(pages(0, 10), 1);
        usage_after_scan();
        ck_assert_int_eq(pool_decref(holder, pages(50, 100)), 0);
        pool_usage(pool, &usage);
        ck_assert(!usage.exact);
        ck_assert_uint_eq(
                usage.committed[KIND_TMPFS] + usage.reclaimable_committed, 10 * FIXTURE_PAGE);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 10 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.reclaimable_committed, 0);
        expect_exact(&usage);
        (void)range;
}
END_TEST

START_TEST(thousands_of_entries_take_many_batches)
{
        struct pool_usage usage;

        for (int i = 0; i < 1000; i++)
                take(holder, 2, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        client_touch(pages(0, 2000), 4);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], 500 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 0);
        expect_exact(&usage);
}
END_TEST

START_TEST(both_ways_of_counting_agree)
{
        struct range range = take(holder, 1000, KIND_TMPFS);
        struct pool_usage usage;

        memory->accounting = _i ? ACCOUNTING_SEEK : memory->accounting;
        client_touch(range, 3);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 334 * FIXTURE_PAGE);
        expect_exact(&usage);
}
END_TEST

/* ---- while the kernel counts --------------------------------------------------------------------
 */

int __real_account_count(enum accounting accounting, const struct memfile *file, struct range range,
        struct account_count *ret);
int __wrap_account_count(enum accounting accounting, const struct memfile *file, struct range range,
        struct account_count *ret);

static void (*meanwhile)(struct range range);
static struct range watched; /* and how often it was counted */
static unsigned watched_counts;

int __wrap_account_count(enum accounting accounting, const struct memfile *file, struct range range,
        struct account_count *ret)
{
        int r = __real_account_count(accounting, file, range, ret);

        if (range.start == watched.start && range.end == watched.end)
                watched_counts++;
        if (meanwhile)
                meanwhile(range);
        return r;
}

/* The count of the first range is not written back, and of the second one pages are added later. */
static void cut_and_read(struct range range)
{
        volatile const unsigned char *address;

        if (range.start == 0) {
                ck_assert_int_eq(pool_incref(holder, pages(0, 4)), 0);
                return;
        }
        meanwhile = NULL;
        address = client_map(range);
        for (unsigned i = 0; i < 3; i++)
                ck_assert_uint_eq(address[i * FIXTURE_PAGE], 0);
        client_unmap((unsigned char *)address, range);
}

START_TEST(a_count_that_was_not_written_back_keeps_the_gate_open)
{
        struct range tmpfs = take(holder, 8, KIND_TMPFS);
        struct pool_usage usage;

        take(holder, 8, KIND_MAPPED);
        client_touch(tmpfs, 1);
        usage_after_scan();
        ck_assert_int_eq(fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 (off_t)tmpfs.start, 3 * FIXTURE_PAGE),
                0);
        meanwhile = cut_and_read;
        usage_after_scan();
        ck_assert_ptr_null(meanwhile);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 5 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.committed[KIND_MAPPED], 3 * FIXTURE_PAGE);
        expect_exact(&usage);
}
END_TEST

/* ---- the rest -----------------------------------------------------------------------------------
 */

static bool has_swap(void)
{
        struct sysinfo information;

        ck_assert_int_eq(sysinfo(&information), 0);
        return information.totalswap > 0;
}

/*
 * A large entry of which every third page is stored, between a small one and a gap with a stray
 * page; behind that a freed entry. A scan may count the large one as the rest.
 */
static struct range small, large, stray, freed;

/* Of the large one. To read through it commits a page without a change of ctime. */
static volatile unsigned char *mapping;

static void set_up_rest(void)
{
        set_up();
        small = take(holder, 10, KIND_TMPFS);
        large = take(holder, 300, KIND_MAPPED);
        stray = take(holder, 5, KIND_TMPFS);
        freed = take(holder, 20, KIND_TMPFS);
        ck_assert_int_eq(pool_decref(holder, stray), 0);
        reclaim_all();
        client_touch(small, 1);
        client_touch(large, 3);
        client_touch(freed, 1);
        client_touch((struct range){stray.start, stray.start + FIXTURE_PAGE}, 1);
        ck_assert_int_eq(pool_decref(holder, freed), 0);
        mapping = client_map(large);
        memory->rest_pages = 300;
        meanwhile = NULL;
        watched = large;
        watched_counts = 0;
}

static void tear_down_rest(void)
{
        client_unmap((unsigned char *)mapping, large);
        tear_down();
}

/* What is stored in which of them; all in pages. */
static void expect_rest(
        uint64_t of_small, uint64_t of_large, uint64_t of_stray, unsigned large_counts)
{
        struct pool_usage usage = usage_after_scan();

        ck_assert_uint_eq(usage.committed[KIND_TMPFS], of_small * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.committed[KIND_MAPPED], of_large * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.reclaimable_committed, 20 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.stray, of_stray * FIXTURE_PAGE);
        expect_exact(&usage);
        ck_assert_uint_eq(watched_counts, large_counts);
}

START_TEST(a_large_entry_is_what_the_others_leave)
{
        expect_rest(10, 100, 1, has_swap());
}
END_TEST

START_TEST(one_that_is_not_large_enough_is_counted)
{
        memory->rest_pages = 301;
        expect_rest(10, 100, 1, 1);
}
END_TEST

START_TEST(one_of_more_entries_than_a_batch_is_counted)
{
        for (unsigned i = 0; i < 200; i++)
                take(holder, 1, i % 2 ? KIND_RAMDISKFS : KIND_PAGE_CACHE);
        expect_rest(10, 100, 0, 1);
}
END_TEST

static void touch_a_hole(struct range range)
{
        (void)range;
        meanwhile = NULL;
        ck_assert_uint_eq(mapping[FIXTURE_PAGE], 0);
}

START_TEST(one_that_grows_meanwhile_is_counted)
{
        meanwhile = touch_a_hole;
        expect_rest(10, 101, 1, 1);
}
END_TEST

static void move_a_page(struct range range)
{
        if (range.start != small.start)
                return;
        meanwhile = NULL;
        ck_assert_int_eq(fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 (off_t)small.start, FIXTURE_PAGE),
                0);
        touch_a_hole(range);
}

/* Nine and a hundred and one: the small one was counted before, and the gate is open. */
START_TEST(pages_that_move_meanwhile_are_no_rest)
{
        meanwhile = move_a_page;
        usage_after_scan();
        ck_assert_uint_eq(watched_counts, 1);
        expect_rest(9, 101, 1, has_swap() + 1);
}
END_TEST

static void allocate_the_gap(struct range range)
{
        (void)range;
        meanwhile = NULL;
        ck_assert_uint_eq(take(holder, 5, KIND_TMPFS).start, stray.start);
}

START_TEST(stray_pages_that_become_somebodys_meanwhile_are_no_rest)
{
        meanwhile = allocate_the_gap;
        usage_after_scan();
        ck_assert_uint_eq(watched_counts, 1);
        expect_rest(11, 100, 0, has_swap() + 1);
}
END_TEST

/* ---- the budget: time is an argument ------------------------------------------------------------
 */

START_TEST(who_asks_now_and_then_is_always_served)
{
        struct scan_budget budget = {0};
        uint64_t now = 1000 * NSEC_PER_SEC;

        for (int i = 0; i < 100; i++) {
                ck_assert(scan_budget_allows(&budget, now));
                scan_budget_spend(&budget, 50 * NSEC_PER_MSEC);
                now += NSEC_PER_SEC;
        }
}
END_TEST

START_TEST(who_polls_gets_an_eighth_of_a_core)
{
        struct scan_budget budget = {0};
        uint64_t start = 1000 * NSEC_PER_SEC, now = start, spent = 0;

        while (now < start + 100 * NSEC_PER_SEC) {
                if (scan_budget_allows(&budget, now)) {
                        scan_budget_spend(&budget, 20 * NSEC_PER_MSEC);
                        spent += 20 * NSEC_PER_MSEC;
                        now += 20 * NSEC_PER_MSEC;
                }
                now += 100000;
        }
        ck_assert_uint_le(spent, 100 * NSEC_PER_SEC / 8 + 200 * NSEC_PER_MSEC);
        ck_assert_uint_ge(spent, 100 * NSEC_PER_SEC / 8 - 200 * NSEC_PER_MSEC);
}
END_TEST

static unsigned answered;

static void count_answer(struct pool_job *job, int result)
{
        ck_assert_int_eq(result, 0);
        ck_assert_ptr_eq(job->pool, pool);
        answered++;
}

START_TEST(askers_share_one_scan)
{
        struct pool_job jobs[5];
        struct range range = take(holder, 4, KIND_TMPFS);

        client_touch(range, 1);
        for (int i = 0; i < 5; i++) {
                jobs[i].done = count_answer;
                pool_update_usage(&jobs[i], pool);
        }
        ck_assert(scan_step(memory, clock_now()));
        ck_assert_uint_eq(answered, 5);
        ck_assert_uint_eq(scans(), 1);
        ck_assert(!scan_step(memory, clock_now()));
}
END_TEST

START_TEST(beyond_the_budget_the_answer_is_from_before)
{
        struct pool_job job = {.done = count_answer};
        struct range range = take(holder, 4, KIND_TMPFS);
        uint64_t now = clock_now();
        struct pool_usage usage;

        pool_update_usage(&job, pool);
        ck_assert(scan_step(memory, now));
        client_touch(range, 1);
        memory->scan_budget = (struct scan_budget){.since = now, .credit = -1};
        pool_update_usage(&job, pool);
        ck_assert(scan_step(memory, now));
        ck_assert_uint_eq(answered, 2);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 0);
        pool_update_usage(&job, pool);
        ck_assert(scan_step(memory, now + NSEC_PER_SEC));
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 4 * FIXTURE_PAGE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("scan");
        TCase *core = harness_case(suite, "core", 10);
        TCase *rest = harness_case(suite, "rest", 10);
        TCase *budget = harness_case(suite, "budget", 10);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, every_second_page_is_counted_and_the_entry_stays_whole);
        tcase_add_test(core, a_read_through_the_mapping_commits_too);
        tcase_add_test(core, if_nothing_changed_the_kernel_is_asked_no_more_than_fstat);
        tcase_add_test(core, a_client_that_punches_here_and_touches_there_is_seen);
        tcase_add_test(core, estimates_become_exact);
        tcase_add_test(core, thousands_of_entries_take_many_batches);
        tcase_add_loop_test(core, both_ways_of_counting_agree, 0, 2);
        tcase_add_test(core, a_count_that_was_not_written_back_keeps_the_gate_open);
        tcase_add_test(core, askers_share_one_scan);
        tcase_add_test(core, beyond_the_budget_the_answer_is_from_before);
        tcase_add_test(budget, who_asks_now_and_then_is_always_served);
        tcase_add_test(budget, who_polls_gets_an_eighth_of_a_core);
        tcase_add_checked_fixture(rest, set_up_rest, tear_down_rest);
        tcase_add_test(rest, a_large_entry_is_what_the_others_leave);
        tcase_add_test(rest, one_that_is_not_large_enough_is_counted);
        tcase_add_test(rest, one_of_more_entries_than_a_batch_is_counted);
        tcase_add_test(rest, one_that_grows_meanwhile_is_counted);
        tcase_add_test(rest, pages_that_move_meanwhile_are_no_rest);
        tcase_add_test(rest, stray_pages_that_become_somebodys_meanwhile_are_no_rest);
        return harness_run(suite);
}
