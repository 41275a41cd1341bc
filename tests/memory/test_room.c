// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include "base/error.h"

#include <stdlib.h>

static struct holder *alice;
static struct holder *bob;
static struct holder *other; /* holds page 0: so nobody is the only one */

/* Pages from 1 on. */
static struct range at(uint64_t start, uint64_t end)
{
        return pages(start + 1, end + 1);
}

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &alice), 0);
        ck_assert_int_eq(holder_new(pool, &bob), 0);
        ck_assert_int_eq(holder_new(pool, &other), 0);
        take(other, 1, KIND_SYSTEM);
}

static void tear_down(void)
{
        alice = holder_free(alice);
        bob = holder_free(bob);
        other = holder_free(other);
        reclaim_all();
        fixture_tear_down();
}

static void limit(struct holder *holder, uint64_t count, uint64_t ranges, uint64_t cut_ranges)
{
        const struct holder_limits limits = {count * FIXTURE_PAGE, ranges, cut_ranges};

        holder_set_limits(holder, &limits);
}

static int try_take(struct holder *holder, uint64_t count, enum kind kind)
{
        struct range range;
        uint64_t size;

        return pool_allocate(holder, count * FIXTURE_PAGE, (unsigned)kind, &range, &size);
}

static uint64_t count_ranges(struct holder *holder)
{
        struct holder_information held;

        holder_information(holder, &held);
        return held.holdings;
}

static uint64_t count_pages(struct holder *holder)
{
        struct holder_information held;

        holder_information(holder, &held);
        return held.held / FIXTURE_PAGE;
}

START_TEST(allocation_stops_at_the_limit_of_bytes)
{
        limit(alice, 10, UINT64_MAX, UINT64_MAX);
        ck_assert_int_eq(try_take(alice, 11, KIND_TMPFS), OUTCOME_LIMIT_BYTES);
        ck_assert_int_eq(try_take(alice, 10, KIND_TMPFS), 0);
        ck_assert_int_eq(try_take(alice, 1, KIND_TMPFS), OUTCOME_LIMIT_BYTES);
        ck_assert_uint_eq(pool->tree.totals.pages[KIND_TMPFS], 10);
        ck_assert_int_eq(pool_decref(alice, at(3, 5)), 0);
        ck_assert_int_eq(try_take(alice, 3, KIND_TMPFS), OUTCOME_LIMIT_BYTES);
        ck_assert_int_eq(try_take(alice, 2, KIND_TMPFS), 0);
        ck_assert_int_eq(try_take(bob, 100, KIND_TMPFS), 0); /* whom it does not concern */
}
END_TEST

START_TEST(incref_counts_only_bytes_that_are_new)
{
        struct range range = take(bob, 10, KIND_TMPFS);

        limit(alice, 4, UINT64_MAX, UINT64_MAX);
        ck_assert_int_eq(pool_incref(alice, at(0, 5)), OUTCOME_LIMIT_BYTES);
        ck_assert_int_eq(pool_incref(alice, at(1, 3)), 0);
        ck_assert_int_eq(pool_incref(alice, at(1, 3)), 0);
        ck_assert_int_eq(pool_incref(alice, range), OUTCOME_LIMIT_BYTES);
        ck_assert_int_eq(pool_incref(alice, at(0, 4)), 0);
        ck_assert_uint_eq(count_pages(alice), 4);
        limit(alice, 2, UINT64_MAX, UINT64_MAX); /* lower than what it has */
        ck_assert_int_eq(pool_incref(alice, at(0, 4)), 0);
        ck_assert_int_eq(pool_incref(alice, at(3, 5)), OUTCOME_LIMIT_BYTES);
        pool_validate(pool);
}
END_TEST

START_TEST(alternating_kinds_stop_at_the_limit_of_ranges)
{
        int count = 0;

        limit(alice, UINT64_MAX / FIXTURE_PAGE, 100, 200);
        while (count < 1000 && !try_take(alice, 1, count % 2 ? KIND_TMPFS : KIND_ANONYMOUS))
                count++;
        ck_assert_int_eq(count, 100);
        ck_assert_int_eq(try_take(alice, 1, KIND_MAPPED), OUTCOME_LIMIT_RANGES);
        ck_assert_uint_eq(pool->tree.totals.entries, 101);
        /* To take them over is no way around it. */
        limit(bob, UINT64_MAX / FIXTURE_PAGE, 50, 100);
        ck_assert_int_eq(pool_incref(bob, at(0, 100)), OUTCOME_LIMIT_RANGES);
        ck_assert_int_eq(pool_incref(bob, at(0, 48)), 0);
        ck_assert_uint_eq(count_ranges(bob), 48);
}
END_TEST

START_TEST(holes_stop_at_the_limit_for_cuts_and_all_can_be_released)
{
        uint64_t page;

        take(alice, 400, KIND_TMPFS);
        limit(alice, UINT64_MAX / FIXTURE_PAGE, 10, 20);
        for (page = 1; page < 400; page += 2)
                if (pool_decref(alice, at(page, page + 1)))
                        break;
        ck_assert_uint_eq(count_ranges(alice), 20);
        ck_assert_int_eq(pool_decref(alice, at(page, page + 1)), OUTCOME_LIMIT_RANGES);
        ck_assert_int_eq(try_take(alice, 1, KIND_TMPFS), OUTCOME_LIMIT_RANGES);
        pool_validate(pool);
        /* What cuts nothing works: one end of a range, a whole one, the rest of one. */
        ck_assert_int_eq(pool_decref(alice, at(399, 400)), 0);
        ck_assert_int_eq(pool_decref(alice, at(0, 1)), 0);
        ck_assert_int_eq(pool_decref(alice, at(page - 1, 399)), 0);
        for (uint64_t low = 2; low + 1 < page; low += 2)
                ck_assert_int_eq(pool_decref(alice, at(low, low + 1)), 0);
        ck_assert_uint_eq(count_ranges(alice), 0);
}
END_TEST

/* Its ranges are the entries of the pool's tree, those that are freed included. */
START_TEST(the_only_one_in_a_pool_has_limits_too)
{
        struct pool_entry entries[64];
        uint64_t page, next;
        size_t count;

        other = holder_free(other);
        reclaim_all();
        take(alice, 400, KIND_TMPFS);
        ck_assert_ptr_eq(pool->sole, alice);
        limit(alice, UINT64_MAX / FIXTURE_PAGE, 10, 20);
        for (page = 1; page < 400; page += 2)
                if (pool_decref(alice, pages(page, page + 1)))
                        break;
        ck_assert_uint_lt(page, 40);
        ck_assert_uint_le(pool->tree.totals.entries, 21);
        ck_assert_int_eq(try_take(alice, 1, KIND_TMPFS), OUTCOME_LIMIT_RANGES);
        reclaim_all();
        ck_assert_int_eq(pool_decref(alice, pages(page, page + 1)), 0);
        reclaim_all();
        count = pool_dump(pool, 0, entries, 64, &next);
        for (size_t i = 0; i < count; i++)
                ck_assert_int_eq(pool_decref(alice, entries[i].range), 0);
        ck_assert_uint_eq(count_pages(alice), 0);
        pool_validate(pool);
}
END_TEST

/* A random number below `below`, the same ones each time. */
static uint64_t draw(uint64_t below)
{
        static uint64_t state = 88172645463325252;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state % below;
}

/* Whatever is done, the limits are kept, and what is far from them is never refused. */
START_TEST(random_operations_keep_within_the_limits)
{
        static const struct holder_limits limits = {200 * FIXTURE_PAGE, 30, 60};
        unsigned refused = 0;

        take(bob, 400, KIND_TMPFS);
        take(bob, 100, KIND_MAPPED);
        holder_set_limits(alice, &limits);
        for (int i = 0; i < 20000; i++) {
                uint64_t start = draw(500);
                uint64_t end = start + 1 + draw((i % 8 ? 6 : 60));
                uint64_t had_ranges = count_ranges(alice), had_pages = count_pages(alice);
                struct holder *who = i % 4 == 3 ? bob : alice;
                int r;

                if (end > 500)
                        end = 500;
                switch (draw(5)) {
                case 0:
                        r = try_take(alice, end - start, (enum kind)draw(3));
                        ck_assert(r != OUTCOME_LIMIT_RANGES || had_ranges >= 30);
                        ck_assert(r != OUTCOME_LIMIT_BYTES || had_pages + end - start > 200);
                        break;
                case 1:
                case 2:
                        r = pool_incref(who, at(start, end));
                        ck_assert(r != OUTCOME_LIMIT_RANGES || had_ranges + 2 * (end - start) > 26);
                        ck_assert(r != OUTCOME_LIMIT_BYTES || had_pages + end - start > 200);
                        break;
                default:
                        r = pool_decref(who, at(start, end));
                        ck_assert(r != OUTCOME_LIMIT_RANGES || had_ranges >= 59);
                }
                refused += r == OUTCOME_LIMIT_RANGES || r == OUTCOME_LIMIT_BYTES;
                ck_assert_uint_le(count_pages(alice), 200);
                ck_assert_uint_le(count_ranges(alice), 60);
                if (i % 100 == 0) {
                        pool_validate(pool);
                        ck_assert_uint_le(pool->tree.totals.entries,
                                2 * (count_ranges(alice) + count_ranges(bob)) + 503);
                        reclaim_all();
                        ck_assert_uint_le(pool->tree.totals.entries,
                                2 * (count_ranges(alice) + count_ranges(bob)) + 1);
                }
        }
        ck_assert_uint_gt(refused, 100);
}
END_TEST

START_TEST(an_operation_on_very_many_ranges_is_divided)
{
        const uint32_t count = OPERATION_ENTRIES + 100;
        uint64_t from = FIXTURE_PAGE;
        struct range all;

        for (uint32_t i = 0; i < count; i++)
                take(alice, 1, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        all = at(0, count);
        ck_assert_int_eq(pool_incref(bob, all), OUTCOME_RANGE_DIVIDED);
        ck_assert_uint_eq(count_ranges(bob), 0);
        ck_assert_int_eq(pool_incref(bob, at(0, OPERATION_ENTRIES)), 0);
        ck_assert_int_eq(pool_incref(bob, at(OPERATION_ENTRIES, count)), 0);
        ck_assert_int_eq(decommit(bob, all, true), OUTCOME_RANGE_DIVIDED);
        /* Giving up is done for the client. */
        ck_assert_int_eq(pool_decref_part(alice, all, &from), 0);
        ck_assert_uint_eq(from, (OPERATION_ENTRIES + 1) * FIXTURE_PAGE);
        pool_validate(pool);
        ck_assert_int_eq(pool_decref_part(alice, all, &from), 0);
        ck_assert_uint_eq(from, all.end);
        ck_assert_uint_eq(count_ranges(alice), 0);
        ck_assert_int_eq(pool_decref(bob, all), 0);
        ck_assert_uint_eq(count_ranges(bob), 0);
}
END_TEST

START_TEST(a_divided_release_is_checked_whole_before_it_begins)
{
        const uint32_t count = OPERATION_ENTRIES + 100;
        uint64_t from = FIXTURE_PAGE;

        for (uint32_t i = 0; i < count; i++)
                take(i + 1 < count ? alice : bob, 1, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        ck_assert_int_eq(pool_decref_part(alice, at(0, count), &from), OUTCOME_NOT_HELD);
        ck_assert_uint_eq(from, FIXTURE_PAGE);
        ck_assert_uint_eq(count_ranges(alice), count - 1);
}
END_TEST

static void count_call(void *context)
{
        ++*(int *)context;
}

START_TEST(release_tells_when_all_is_released)
{
        int small = 0, large = 0;

        for (int i = 0; i < 5000; i++)
                take(alice, 1, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        take(bob, 100, KIND_TMPFS);
        ck_assert(holder_release(bob, count_call, &small));
        ck_assert(!holder_release(alice, count_call, &large));
        ck_assert_int_eq(large, 0);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_MORE);
        ck_assert_int_eq(large, 0);
        reclaim_all();
        ck_assert_int_eq(large, 1);
        ck_assert_int_eq(small, 0);
        alice = bob = NULL;
}
END_TEST

START_TEST(stored_bytes_are_those_of_now)
{
        struct range range = take(alice, 10, KIND_TMPFS);
        uint64_t bytes;

        ck_assert_int_eq(pool_stored(pool, &bytes), 0);
        ck_assert_uint_eq(bytes, 0);
        client_touch(range, 2);
        ck_assert_int_eq(pool_stored(pool, &bytes), 0);
        ck_assert_uint_eq(bytes, 5 * FIXTURE_PAGE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("room");
        TCase *tests = harness_case(suite, "room", 30);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, allocation_stops_at_the_limit_of_bytes);
        tcase_add_test(tests, incref_counts_only_bytes_that_are_new);
        tcase_add_test(tests, alternating_kinds_stop_at_the_limit_of_ranges);
        tcase_add_test(tests, holes_stop_at_the_limit_for_cuts_and_all_can_be_released);
        tcase_add_test(tests, the_only_one_in_a_pool_has_limits_too);
        tcase_add_test(tests, random_operations_keep_within_the_limits);
        tcase_add_test(tests, an_operation_on_very_many_ranges_is_divided);
        tcase_add_test(tests, a_divided_release_is_checked_whole_before_it_begins);
        tcase_add_test(tests, release_tells_when_all_is_released);
        tcase_add_test(tests, stored_bytes_are_those_of_now);
        return harness_run(suite);
}
