// SPDX-License-Identifier: Apache-2.0
/* What a session holds, and who holds a range, whichever tree says so. */
#include "memory/fixture.h"

#include "base/error.h"

#include <string.h>

static struct holder *alice, *bob;
static struct pool_holding list[4096];

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &alice), 0);
        ck_assert_int_eq(holder_new(pool, &bob), 0);
}

static void tear_down(void)
{
        alice = holder_free(alice);
        bob = holder_free(bob);
        reclaim_all();
        fixture_tear_down();
}

/* All of it, asked for in pages of this length. */
static size_t list_all(struct holder *holder, size_t length)
{
        uint64_t next = 0;
        size_t count = 0;

        do {
                size_t got = holder_list(holder, next, list + count, length, &next);

                ck_assert_uint_le(got, length);
                ck_assert(!next || !got || next >= list[count + got - 1].range.end);
                count += got;
        } while (next);
        return count;
}

static void assert_holding(size_t i, struct range range, uint32_t count, uint32_t refs)
{
        ck_assert_uint_eq(list[i].range.start, range.start);
        ck_assert_uint_eq(list[i].range.end, range.end);
        ck_assert_uint_eq(list[i].count, count);
        ck_assert_uint_eq(list[i].refs, refs);
}

START_TEST(who_holds_nothing_has_an_empty_list)
{
        ck_assert_uint_eq(list_all(alice, 8), 0);
        take(bob, 4, KIND_TMPFS);
        ck_assert_uint_eq(list_all(alice, 8), 0);
        ck_assert_uint_eq(list_all(bob, 8), 1);
}
END_TEST

START_TEST(the_sole_holder_is_listed_without_what_is_freed)
{
        struct range ranges[40];

        for (int i = 0; i < 40; i++)
                ranges[i] = take(alice, 2, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        for (int i = 0; i < 40; i += 4)
                ck_assert_int_eq(pool_decref(alice, ranges[i]), 0);
        ck_assert_ptr_eq(pool->sole, alice);
        for (size_t length = 1; length < 50; length += 7) {
                ck_assert_uint_eq(list_all(alice, length), 30);
                assert_holding(0, ranges[1], 1, 1);
                ck_assert_int_eq(list[0].kind, KIND_TMPFS);
                assert_holding(29, ranges[39], 1, 1);
        }
}
END_TEST

/* A page passes over a bounded number of freed ranges, and then says where to go on. */
START_TEST(many_freed_ranges_are_passed_in_parts)
{
        struct range range = {0};
        uint64_t next;

        for (int i = 0; i < 100; i++) {
                range = take(alice, 1, KIND_TMPFS);
                take(bob, 1, KIND_TMPFS);
                ck_assert_int_eq(pool_decref(alice, range), 0);
        }
        bob = holder_free(bob);
        ck_assert_int_eq(holder_new(pool, &bob), 0);
        range = take(alice, 1, KIND_TMPFS);
        ck_assert_uint_eq(list_all(alice, 4), 1);
        assert_holding(0, range, 1, 1);
        reclaim_all();
        for (int i = 0; i < 100; i++)
                take(bob, 1, i % 2 ? KIND_TMPFS : KIND_MAPPED);
        alice = holder_free(alice);
        ck_assert_int_eq(holder_new(pool, &alice), 0);
        ck_assert_uint_eq(holder_list(bob, 0, list, 1, &next), 1);
        ck_assert_uint_gt(next, 0);
}
END_TEST

START_TEST(shared_ranges_are_cut_where_the_others_differ)
{
        struct range range = take(alice, 16, KIND_MAPPED);

        ck_assert_int_eq(pool_incref(bob, pages(4, 8)), 0);
        ck_assert_int_eq(pool_incref(bob, pages(6, 8)), 0);
        ck_assert_ptr_null(pool->sole);
        ck_assert_uint_eq(range.start, 0);
        for (size_t length = 1; length < 6; length++) {
                ck_assert_uint_eq(list_all(alice, length), 4);
                assert_holding(0, pages(0, 4), 1, 1);
                assert_holding(1, pages(4, 6), 1, 2);
                assert_holding(2, pages(6, 8), 1, 3);
                assert_holding(3, pages(8, 16), 1, 1);
                ck_assert_uint_eq(list_all(bob, length), 2);
                assert_holding(0, pages(4, 6), 1, 2);
                assert_holding(1, pages(6, 8), 2, 3);
        }
}
END_TEST

START_TEST(a_list_begins_within_a_range)
{
        uint64_t next;

        take(alice, 16, KIND_MAPPED);
        for (unsigned shared = 0; shared < 2; shared++) {
                ck_assert_uint_eq(holder_list(alice, 5 * FIXTURE_PAGE, list, 4, &next), 1 + shared);
                ck_assert_uint_eq(list[0].range.start, 5 * FIXTURE_PAGE);
                ck_assert_uint_eq(next, 0);
                ck_assert_int_eq(pool_incref(bob, pages(6, 16)), 0);
        }
        ck_assert_uint_eq(holder_list(alice, UINT64_MAX, list, 4, &next), 0);
        ck_assert_uint_eq(holder_list(alice, FIXTURE_CAPACITY, list, 4, &next), 0);
        ck_assert_uint_eq(holder_list(alice, 16 * FIXTURE_PAGE, list, 4, &next), 0);
}
END_TEST

START_TEST(committed_is_of_the_part)
{
        struct range range = take(alice, 16, KIND_ANONYMOUS);

        ck_assert_int_eq(pool_incref(bob, pages(0, 8)), 0);
        ck_assert_int_eq(pool_decref(bob, pages(0, 8)), 0);
        client_touch(range, 2);
        usage_after_scan();
        ck_assert_uint_eq(list_all(alice, 8), 1);
        ck_assert_uint_eq(list[0].committed, 8 * FIXTURE_PAGE);
        ck_assert(!list[0].estimated);
        ck_assert_uint_eq(holder_list(alice, 12 * FIXTURE_PAGE, list, 8, &(uint64_t){0}), 1);
        ck_assert_uint_eq(list[0].committed, 2 * FIXTURE_PAGE);
        ck_assert(list[0].estimated);
}
END_TEST

/* Every page of what many operations leave has what the two lists say. */
START_TEST(lists_agree_with_the_tree)
{
        static uint32_t counts[2][512];
        struct pool_entry entries[1024];
        struct holder *holders[2] = {alice, bob};
        uint32_t seed = 1;
        uint64_t next;
        size_t count;

        take(alice, 512, KIND_TMPFS);
        for (unsigned i = 0; i < 512; i++)
                counts[0][i] = 1;
        for (int round = 0; round < 2000; round++) {
                unsigned who = (seed = seed * 1664525 + 1013904223) >> 31, start, end, i;

                start = (seed >> 8) % 512;
                end = start + 1 + (seed >> 17) % 24;
                end = end > 512 ? 512 : end;
                if (seed & 64) {
                        if (pool_incref(holders[who], pages(start, end)) == 0)
                                for (i = start; i < end; i++)
                                        counts[who][i]++;
                } else if (pool_decref(holders[who], pages(start, end)) == 0) {
                        for (i = start; i < end; i++)
                                counts[who][i]--;
                }
                if (round % 50)
                        continue;
                for (who = 0; who < 2; who++) {
                        uint32_t found[512] = {0};

                        count = list_all(holders[who], 1 + (unsigned)round % 13);
                        for (i = 0; i < count; i++)
                                for (uint64_t at = list[i].range.start; at < list[i].range.end;
                                        at += FIXTURE_PAGE) {
                                        ck_assert_uint_eq(
                                                list[i].refs, counts[0][at / FIXTURE_PAGE] +
                                                                      counts[1][at / FIXTURE_PAGE]);
                                        found[at / FIXTURE_PAGE] += list[i].count;
                                }
                        ck_assert_int_eq(memcmp(found, counts[who], sizeof(found)), 0);
                }
        }
        count = pool_dump(pool, 0, entries, 1024, &next);
        ck_assert_uint_gt(count, 100);
}
END_TEST

START_TEST(overlaps_are_counted)
{
        struct holder_overlap overlap;
        unsigned left = 100;

        take(alice, 16, KIND_MAPPED);
        holder_overlap(alice, pages(4, 12), &left, &overlap);
        ck_assert_uint_eq(overlap.held, 8 * FIXTURE_PAGE);
        ck_assert_uint_eq(overlap.most, 1);
        ck_assert_uint_eq(left, 99);
        holder_overlap(bob, pages(4, 12), &left, &overlap);
        ck_assert_uint_eq(overlap.held, 0);
        for (unsigned i = 0; i < 16; i += 2)
                ck_assert_int_eq(pool_incref(bob, pages(i, i + 1)), 0);
        ck_assert_int_eq(pool_incref(bob, pages(2, 3)), 0);
        holder_overlap(bob, pages(1, 12), &left, &overlap);
        ck_assert_uint_eq(overlap.held, 5 * FIXTURE_PAGE);
        ck_assert_uint_eq(overlap.most, 2);
        ck_assert(!overlap.more);
        left = 3;
        holder_overlap(bob, pages(0, 16), &left, &overlap);
        ck_assert_uint_eq(overlap.held, 3 * FIXTURE_PAGE);
        ck_assert(overlap.more);
        ck_assert_uint_eq(left, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("holdings");
        TCase *tests = harness_case(suite, "holdings", 60);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, who_holds_nothing_has_an_empty_list);
        tcase_add_test(tests, the_sole_holder_is_listed_without_what_is_freed);
        tcase_add_test(tests, many_freed_ranges_are_passed_in_parts);
        tcase_add_test(tests, shared_ranges_are_cut_where_the_others_differ);
        tcase_add_test(tests, a_list_begins_within_a_range);
        tcase_add_test(tests, committed_is_of_the_part);
        tcase_add_test(tests, lists_agree_with_the_tree);
        tcase_add_test(tests, overlaps_are_counted);
        return harness_run(suite);
}
