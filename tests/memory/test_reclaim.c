// SPDX-License-Identifier: Apache-2.0
#include "memory/fixture.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static struct holder *holder;
static bool punching_fails;
static unsigned punched;

static int fail_or_punch(int fd, int mode, off_t offset, off_t length)
{
        punched++;
        if (punching_fails) {
                errno = EPERM;
                return -1;
        }
        return fallocate(fd, mode, offset, length);
}

static void set_up(void)
{
        fixture_set_up();
        pool->file.fallocate = fail_or_punch;
        ck_assert_int_eq(holder_new(pool, &holder), 0);
}

static void tear_down(void)
{
        holder = holder_free(holder);
        fixture_tear_down();
}

START_TEST(what_nobody_holds_goes_back_to_the_kernel)
{
        struct range range = take(holder, 100, KIND_ANONYMOUS);
        struct memory_statistics statistics;

        client_touch(range, 1);
        ck_assert_uint_eq(stored(), 100 * FIXTURE_PAGE);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
        memory_statistics(memory, &statistics);
        ck_assert_uint_eq(statistics.reclaimed, 100 * FIXTURE_PAGE);
        ck_assert_uint_eq(statistics.punch_failures, 0);
}
END_TEST

START_TEST(neighbours_are_punched_at_once)
{
        struct range range = take(holder, 100, KIND_ANONYMOUS);

        client_touch(range, 1);
        for (uint64_t i = 0; i < 100; i++)
                ck_assert_int_eq(pool_decref(holder, pages(i, i + 1)), 0);
        reclaim_all();
        ck_assert_uint_eq(punched, 1);
}
END_TEST

START_TEST(a_large_range_goes_in_pieces)
{
        struct range range = take(holder, 5 * PUNCH_MAX / FIXTURE_PAGE / 2, KIND_ANONYMOUS);

        ck_assert_int_eq(pool_decref(holder, range), 0);
        reclaim_all();
        ck_assert_uint_eq(punched, 3);
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
}
END_TEST

START_TEST(scattered_ranges_are_done_many_at_a_time)
{
        struct range found[RECLAIM_BATCH];
        uint64_t freed = UINT64_C(2) * RECLAIM_BATCH;

        take(holder, freed * 2, KIND_ANONYMOUS);
        for (uint64_t i = 0; i < freed; i++)
                ck_assert_int_eq(pool_decref(holder, pages(2 * i, 2 * i + 1)), 0);
        ck_assert_uint_eq(reclaim_find(pool, found, RECLAIM_BATCH), RECLAIM_BATCH);
        ck_assert_uint_eq(
                found[RECLAIM_BATCH - 1].start, UINT64_C(2) * (RECLAIM_BATCH - 1) * FIXTURE_PAGE);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_MORE);
        ck_assert_uint_eq(pool->tree.totals.freed, RECLAIM_BATCH);
        reclaim_all();
        ck_assert_uint_eq(pool->tree.totals.freed, 0);
        ck_assert_uint_eq(punched, freed);
}
END_TEST

START_TEST(a_batch_is_no_longer_than_one_punch_may_be)
{
        struct range found[3];
        uint64_t half = PUNCH_MAX / FIXTURE_PAGE / 2;

        take(holder, 6 * half, KIND_ANONYMOUS);
        for (uint64_t i = 0; i < 3; i++) {
                struct range range = pages(2 * i * half, (2 * i + 1) * half + i);

                ck_assert_int_eq(pool_decref(holder, range), 0);
        }
        ck_assert_uint_eq(reclaim_find(pool, found, 3), 2);
        ck_assert_uint_eq(found[1].end - found[1].start, PUNCH_MAX / 2);
}
END_TEST

START_TEST(a_decommit_does_not_wait_behind_all_of_it)
{
        struct range large = take(holder, 4 * PUNCH_MAX / FIXTURE_PAGE, KIND_ANONYMOUS);
        struct range small = take(holder, 1, KIND_TMPFS);

        ck_assert_int_eq(pool_decref(holder, large), 0);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_MORE);
        ck_assert_int_eq(decommit(holder, small, false), 0);
        ck_assert_uint_eq(punched, 2);
}
END_TEST

START_TEST(a_range_being_punched_is_nobodys_until_that_is_over)
{
        struct range range = take(holder, 2, KIND_ANONYMOUS), found, other;

        ck_assert_int_eq(pool_decref(holder, range), 0);
        ck_assert(reclaim_find(pool, &found, 1));
        other = take(holder, 2, KIND_ANONYMOUS);
        ck_assert_uint_eq(other.start, range.end);
        ck_assert_int_eq(reclaim_punch(pool, found), 0);
        other = take(holder, 1, KIND_ANONYMOUS);
        ck_assert_uint_eq(other.start, range.end + 2 * FIXTURE_PAGE);
        ck_assert_int_eq(reclaim_finish(pool, &found, 1), 0);
        other = take(holder, 2, KIND_ANONYMOUS);
        ck_assert_uint_eq(other.start, range.start);
}
END_TEST

START_TEST(neighbours_freed_meanwhile_are_not_taken_for_punched)
{
        struct range range = take(holder, 6, KIND_ANONYMOUS), found;

        client_touch(range, 1);
        ck_assert_int_eq(pool_decref(holder, pages(2, 4)), 0);
        ck_assert(reclaim_find(pool, &found, 1));
        ck_assert_int_eq(pool_decref(holder, pages(0, 2)), 0);
        ck_assert_int_eq(pool_decref(holder, pages(4, 6)), 0);
        ck_assert_int_eq(reclaim_punch(pool, found), 0);
        ck_assert_int_eq(reclaim_finish(pool, &found, 1), 0);
        pool_validate(pool);
        ck_assert_uint_eq(pool->tree.totals.freed, 4);
        ck_assert_uint_eq(stored(), 4 * FIXTURE_PAGE);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(if_punching_fails_the_pages_are_zero_all_the_same)
{
        struct range range = take(holder, 8, KIND_ANONYMOUS), again;
        struct memory_statistics statistics;

        client_touch(range, 1);
        punching_fails = true;
        ck_assert_int_eq(pool_decref(holder, range), 0);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_REST);
        again = take(holder, 8, KIND_TMPFS);
        ck_assert_uint_eq(again.start, range.start);
        ck_assert(client_reads_zero(again));
        memory_statistics(memory, &statistics);
        ck_assert_uint_eq(statistics.punch_failures, 1);
}
END_TEST

START_TEST(a_failed_punch_is_tried_again_later_until_it_works)
{
        struct range range = take(holder, 8, KIND_ANONYMOUS);
        uint64_t now = clock_now();

        client_touch(range, 1);
        punching_fails = true;
        ck_assert_int_eq(pool_decref(holder, range), 0);
        ck_assert_int_eq(reclaim_step(pool, now), RECLAIM_REST);
        ck_assert_int_eq(reclaim_step(pool, now), RECLAIM_LATER);
        ck_assert_uint_eq(punched, 1);
        punching_fails = false;
        now = clock_now() + RECLAIM_RETRY_AFTER;
        while (is_more(reclaim_step(pool, now))) {
        }
        ck_assert_uint_eq(punched, 2);
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
        ck_assert_int_eq(reclaim_step(pool, now), RECLAIM_DONE);
}
END_TEST

START_TEST(a_punch_that_fails_again_is_tried_again)
{
        struct range range = take(holder, 8, KIND_ANONYMOUS);

        client_touch(range, 1);
        punching_fails = true;
        ck_assert_int_eq(pool_decref(holder, range), 0);
        for (unsigned i = 0; i < 3; i++) {
                uint64_t now = clock_now() + RECLAIM_RETRY_AFTER;

                while (is_more(reclaim_step(pool, now)) && punched == i) {
                }
                ck_assert_uint_eq(punched, i + 1);
        }
        punching_fails = false;
        while (is_more(reclaim_step(pool, clock_now() + RECLAIM_RETRY_AFTER))) {
        }
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
}
END_TEST

static unsigned punch_lines, zero_lines;

static bool count_line(const struct log_record *record)
{
        ck_assert_str_eq(record->about.pool, "test");
        punch_lines += strcmp(record->event, "PUNCH_FAILED") == 0;
        zero_lines += strcmp(record->event, "ZERO_FAILED") == 0;
        return true;
}

START_TEST(each_failure_is_said_once_until_it_works_again)
{
        struct range range = take(holder, 8, KIND_ANONYMOUS);
        int fd = pool->file.fd;

        log_set_sink(count_line);
        client_touch(range, 1);
        punching_fails = true;
        pool->file.fd = pool->file.read_only_fd; /* what cannot be written to */
        ck_assert_int_eq(pool_decref(holder, range), 0);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_LATER);
        pool->file.fd = fd;
        ck_assert_uint_eq(punch_lines, 1);
        ck_assert_uint_eq(zero_lines, 1);
        punching_fails = false;
        reclaim_all();
        range = take(holder, 8, KIND_ANONYMOUS);
        client_touch(range, 1);
        punching_fails = true;
        ck_assert_int_eq(pool_decref(holder, range), 0);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_REST);
        ck_assert_uint_eq(punch_lines, 2);
        ck_assert_uint_eq(zero_lines, 1);
        punching_fails = false;
        log_set_sink(NULL);
}
END_TEST

START_TEST(a_decommit_that_fails_says_why)
{
        struct range range = take(holder, 8, KIND_ANONYMOUS);

        client_touch(range, 1);
        punching_fails = true;
        ck_assert_int_eq(decommit(holder, range, false), -EPERM);
        ck_assert_int_eq(error_status(-EPERM), EIO);
        punching_fails = false;
        ck_assert_int_eq(decommit(holder, range, false), 0);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(stray_pages_are_found_and_punched)
{
        struct range range = take(holder, 8, KIND_ANONYMOUS);
        struct pool_usage usage;

        client_touch(range, 1);
        client_touch(pages(100, 104), 1); /* through a mapping, where nothing is allocated */
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.stray, 4 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], 8 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.total, 12 * FIXTURE_PAGE);
        reclaim_all();
        ck_assert_uint_eq(stored(), 8 * FIXTURE_PAGE);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.stray, 0);
        ck_assert_uint_eq(usage.reclaimable, 0);
        ck_assert_uint_eq(pool->tree.totals.entries, 1);
}
END_TEST

START_TEST(stray_pages_above_the_size_are_punched_too)
{
        struct pool_usage usage;

        client_touch(
                pages(FIXTURE_CAPACITY / FIXTURE_PAGE - 1, FIXTURE_CAPACITY / FIXTURE_PAGE), 1);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.stray, FIXTURE_PAGE);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(
                pool->size * FIXTURE_PAGE, CHUNK_SIZE); /* a stray page is no allocation */
}
END_TEST

/* SEEK_DATA calls such pages a hole. */
START_TEST(stray_pages_that_were_never_touched_are_punched_too)
{
        struct pool_usage usage;

        take(holder, 8, KIND_ANONYMOUS);
        for (off_t page = 11; page < 20000; page = page * 3 + 1)
                ck_assert_int_eq(fallocate(pool_fd(pool), FALLOC_FL_KEEP_SIZE,
                                         page * (off_t)FIXTURE_PAGE, 5 * (off_t)FIXTURE_PAGE),
                        0);
        client_touch(pages(17, 18), 1);
        client_touch(pages(19, 30), 2);
        usage = usage_after_scan();
        ck_assert_uint_gt(usage.stray, 0);
        if (memory->accounting == ACCOUNTING_CACHESTAT) /* before Linux 6.5 they cannot be told */
                ck_assert_uint_eq(usage.stray, stored());
        reclaim_all();
        if (memory->accounting == ACCOUNTING_CACHESTAT)
                ck_assert_uint_eq(stored(), 0);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.stray, 0);
}
END_TEST

START_TEST(a_whole_file_of_stray_pages_is_punched)
{
        const off_t size = (off_t)(UINT64_C(300) << 20);

        take(holder, 8, KIND_ANONYMOUS);
        ck_assert_int_eq(
                fallocate(pool_fd(pool), FALLOC_FL_KEEP_SIZE, 8 * (off_t)FIXTURE_PAGE, size), 0);
        if (memory->accounting == ACCOUNTING_SEEK)
                client_touch(pages(8, 8 + (uint64_t)size / FIXTURE_PAGE), 1);
        ck_assert_uint_eq(usage_after_scan().stray, (uint64_t)size);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

/* A pass has come by and goes on elsewhere; without another one they would wait for the next scan.
 */
START_TEST(stray_pages_found_behind_a_pass_are_punched_by_another_one)
{
        client_touch(pages(500, 501), 1);
        client_touch(pages(900, 901), 1);
        usage_after_scan();
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_MORE); /* finds the first */
        client_touch(pages(100, 101), 1);
        usage_after_scan();
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reclaim");
        TCase *core = harness_case(suite, "core", 10);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, what_nobody_holds_goes_back_to_the_kernel);
        tcase_add_test(core, neighbours_are_punched_at_once);
        tcase_add_test(core, a_large_range_goes_in_pieces);
        tcase_add_test(core, scattered_ranges_are_done_many_at_a_time);
        tcase_add_test(core, a_batch_is_no_longer_than_one_punch_may_be);
        tcase_add_test(core, a_decommit_does_not_wait_behind_all_of_it);
        tcase_add_test(core, a_range_being_punched_is_nobodys_until_that_is_over);
        tcase_add_test(core, neighbours_freed_meanwhile_are_not_taken_for_punched);
        tcase_add_test(core, each_failure_is_said_once_until_it_works_again);
        tcase_add_test(core, if_punching_fails_the_pages_are_zero_all_the_same);
        tcase_add_test(core, a_failed_punch_is_tried_again_later_until_it_works);
        tcase_add_test(core, a_punch_that_fails_again_is_tried_again);
        tcase_add_test(core, a_decommit_that_fails_says_why);
        tcase_add_test(core, stray_pages_are_found_and_punched);
        tcase_add_test(core, stray_pages_above_the_size_are_punched_too);
        tcase_add_test(core, stray_pages_that_were_never_touched_are_punched_too);
        tcase_add_test(core, a_whole_file_of_stray_pages_is_punched);
        tcase_add_test(core, stray_pages_found_behind_a_pass_are_punched_by_another_one);
        return harness_run(suite);
}
