// SPDX-License-Identifier: Apache-2.0
#include "support/fault.h"
#include "support/harness.h"

#include "usage/usage_tree.h"

#include <errno.h>
#include <signal.h>

#define CAPACITY (1u << 24)
#define HUGEPAGE 512u

static struct usage_nodes nodes;
static struct usage_tree tree;

static void set_up(void)
{
        usage_nodes_init(&nodes);
        usage_tree_init(&tree, &nodes, CAPACITY, HUGEPAGE);
}

static void tear_down(void)
{
        const char *broken = usage_tree_validate(&tree);

        ck_assert_msg(!broken, "%s", broken);
        usage_tree_clear(&tree);
        usage_nodes_deinit(&nodes);
}

static void insert(uint32_t start, uint32_t end, uint32_t refs, uint8_t tags, uint32_t committed)
{
        struct usage_entry entry = {start, end, refs, committed, tags};

        ck_assert_int_eq(usage_nodes_reserve(&nodes, usage_tree_need(&tree)), 0);
        usage_tree_insert(&tree, &entry);
}

static bool add(struct usage_entry *entry, void *argument)
{
        entry->refs += *(uint32_t *)argument;
        return true;
}

static void incref(uint32_t start, uint32_t end, uint32_t refs)
{
        ck_assert_int_eq(usage_nodes_reserve(&nodes, usage_tree_need(&tree)), 0);
        usage_tree_change(&tree, start, end, add, &refs);
}

static bool drop(struct usage_entry *entry, void *argument)
{
        (void)argument;
        entry->refs = 0;
        entry->tags &= (uint8_t)~USAGE_KIND_MASK;
        return true;
}

static bool remove_entry(struct usage_entry *entry, void *argument)
{
        (void)entry;
        (void)argument;
        return false;
}

static void change(uint32_t start, uint32_t end, usage_change_fn *what)
{
        ck_assert_int_eq(usage_nodes_reserve(&nodes, usage_tree_need(&tree)), 0);
        usage_tree_change(&tree, start, end, what, NULL);
}

static void expect(uint32_t page, uint32_t start, uint32_t end, uint32_t refs)
{
        struct usage_entry entry;

        ck_assert(usage_tree_find(&tree, page, &entry));
        ck_assert_uint_eq(entry.start, start);
        ck_assert_uint_eq(entry.end, end);
        ck_assert_uint_eq(entry.refs, refs);
}

/* Every second page of [0, 2n) an entry that merges with no other. */
static void checkerboard(uint32_t n)
{
        for (uint32_t i = 0; i < n; i++)
                insert(2 * i, 2 * i + 1, 1, KIND_ANONYMOUS, 0);
}

START_TEST(neighbours_of_a_kind_are_one_entry)
{
        insert(0, 1, 1, KIND_ANONYMOUS, 0);
        insert(2, 3, 1, KIND_ANONYMOUS, 0);
        ck_assert_uint_eq(tree.totals.entries, 2);
        insert(1, 2, 1, KIND_ANONYMOUS, 0);
        ck_assert_uint_eq(tree.totals.entries, 1);
        expect(0, 0, 3, 1);
        insert(3, 4, 1, KIND_TMPFS, 0);
        ck_assert_uint_eq(tree.totals.entries, 2);
        insert(4, 5, 2, KIND_TMPFS, 0);
        ck_assert_uint_eq(tree.totals.entries, 3);
}
END_TEST

START_TEST(a_reference_cuts_and_giving_it_back_mends)
{
        insert(0, 6, 1, KIND_ANONYMOUS, 0);
        incref(2, 4, 1);
        ck_assert_uint_eq(tree.totals.entries, 3);
        expect(2, 2, 4, 2);
        expect(4, 4, 6, 1);
        incref(2, 4, (uint32_t)-1);
        ck_assert_uint_eq(tree.totals.entries, 1);
        expect(3, 0, 6, 1);
}
END_TEST

START_TEST(what_nobody_holds_is_system_and_merges_across_kinds)
{
        struct usage_entry entry;

        insert(0, 2, 1, KIND_ANONYMOUS, 1);
        insert(2, 4, 1, KIND_PAGE_CACHE, 2);
        insert(4, 6, 1, KIND_TMPFS, 0);
        change(0, 4, drop);
        ck_assert_uint_eq(tree.totals.entries, 2);
        ck_assert_uint_eq(usage_tree_collect_tagged(&tree, 0, USAGE_FREED, &entry, 1), 1);
        ck_assert_uint_eq(entry.end, 4);
        ck_assert_int_eq(usage_entry_kind(&entry), KIND_SYSTEM);
        ck_assert_uint_eq(tree.totals.freed, 4);
        ck_assert_uint_eq(tree.totals.freed_committed, 3);
        ck_assert_uint_eq(tree.totals.pages[KIND_SYSTEM], 0);
}
END_TEST

START_TEST(a_cut_divides_what_is_committed_and_keeps_the_sum)
{
        struct usage_entry entry;

        insert(0, 10, 1, KIND_ANONYMOUS, 5);
        incref(3, 7, 1);
        ck_assert_uint_eq(tree.totals.committed[KIND_ANONYMOUS], 5);
        for (uint32_t page = 0; usage_tree_find(&tree, page, &entry); page = entry.end)
                ck_assert(entry.tags & USAGE_ESTIMATED);
}
END_TEST

START_TEST(a_cut_of_all_or_nothing_is_exact)
{
        struct usage_entry entry;

        insert(0, 10, 1, KIND_ANONYMOUS, 10);
        insert(20, 30, 1, KIND_ANONYMOUS, 0);
        incref(3, 7, 1);
        incref(23, 27, 1);
        ck_assert_uint_eq(usage_tree_collect_tagged(&tree, 0, USAGE_ESTIMATED, &entry, 1), 0);
        ck_assert(usage_tree_find(&tree, 3, &entry));
        ck_assert_uint_eq(entry.committed, 4);
}
END_TEST

static bool mark(struct usage_entry *entry, void *argument)
{
        (void)argument;
        entry->tags |= USAGE_SCANNING;
        return true;
}

START_TEST(what_is_being_counted_loses_its_mark_when_it_is_cut_or_merged)
{
        struct usage_entry entry;

        insert(0, 10, 1, KIND_ANONYMOUS, 0);
        insert(20, 30, 1, KIND_ANONYMOUS, 0);
        insert(40, 50, 1, KIND_ANONYMOUS, 0);
        change(0, 50, mark);
        incref(3, 7, 1);
        insert(30, 31, 1, KIND_ANONYMOUS, 0);
        ck_assert_uint_eq(usage_tree_collect_tagged(&tree, 0, USAGE_SCANNING, &entry, 1), 1);
        ck_assert_uint_eq(entry.start, 40);
}
END_TEST

START_TEST(gaps_are_found_lowest_first)
{
        uint32_t start = 99;

        insert(4, 8, 1, KIND_ANONYMOUS, 0);
        insert(10, 12, 1, KIND_ANONYMOUS, 0);
        ck_assert(usage_tree_find_gap(&tree, 4, false, &start));
        ck_assert_uint_eq(start, 0);
        insert(0, 3, 1, KIND_ANONYMOUS, 0);
        ck_assert(usage_tree_find_gap(&tree, 1, false, &start));
        ck_assert_uint_eq(start, 3);
        ck_assert(usage_tree_find_gap(&tree, 2, false, &start));
        ck_assert_uint_eq(start, 8);
        ck_assert(usage_tree_find_gap(&tree, 3, false, &start));
        ck_assert_uint_eq(start, 12);
        ck_assert(usage_tree_find_gap(&tree, HUGEPAGE, true, &start));
        ck_assert_uint_eq(start, HUGEPAGE);
}
END_TEST

START_TEST(a_gap_that_is_long_enough_but_misaligned_is_passed_over)
{
        uint32_t start = 0;

        insert(0, 1, 1, KIND_ANONYMOUS, 0);
        insert(2 * HUGEPAGE - 1, 2 * HUGEPAGE, 1, KIND_ANONYMOUS, 0);
        ck_assert(usage_tree_find_gap(&tree, HUGEPAGE, true, &start));
        ck_assert_uint_eq(start / HUGEPAGE, 2);
        ck_assert_uint_eq(start % HUGEPAGE, 0);
        ck_assert(usage_tree_find_gap(&tree, HUGEPAGE, false, &start));
        ck_assert_uint_eq(start, 1);
}
END_TEST

START_TEST(the_whole_capacity_can_be_had_and_not_a_page_more)
{
        uint32_t start = 99;

        ck_assert(!usage_tree_find_gap(&tree, CAPACITY + 1, true, &start));
        ck_assert(usage_tree_find_gap(&tree, CAPACITY, true, &start));
        ck_assert_uint_eq(start, 0);
        insert(0, CAPACITY, 1, KIND_ANONYMOUS, 0);
        ck_assert(!usage_tree_find_gap(&tree, 1, false, &start));
        change(CAPACITY - 1, CAPACITY, remove_entry);
        ck_assert(usage_tree_find_gap(&tree, 1, false, &start));
        ck_assert_uint_eq(start, CAPACITY - 1);
}
END_TEST

START_TEST(upward_allocation_leaves_full_nodes)
{
        for (uint32_t i = 0; i < 100000; i++)
                insert(i, i + 1, 1, i % 2 ? KIND_ANONYMOUS : KIND_PAGE_CACHE, 0);
        ck_assert_uint_eq(tree.totals.entries, 100000);
        ck_assert_uint_le(usage_nodes_footprint(&nodes), UINT64_C(2000000));
}
END_TEST

START_TEST(a_change_spans_many_leaves_and_merges_them_all)
{
        checkerboard(50000);
        usage_nodes_reserve(&nodes, usage_tree_increase_need(&tree, 0, 100000, 1));
        usage_tree_increase(&tree, NULL, 0, 100000); /* gaps get one, entries two */
        ck_assert_uint_eq(tree.totals.entries, 100000);
        ck_assert_ptr_null(usage_tree_validate(&tree));
        change(1, 99999, drop);
        ck_assert_uint_eq(tree.totals.entries, 3);
        expect(1, 1, 99999, 0);
}
END_TEST

START_TEST(removing_everything_returns_the_memory)
{
        checkerboard(100000);
        change(0, 200000, remove_entry);
        ck_assert_uint_eq(tree.totals.entries, 0);
        ck_assert_uint_eq(nodes.live, 0);
        ck_assert_ptr_null(tree.root);
        ck_assert_uint_le(usage_nodes_footprint(&nodes), UINT64_C(104000));
}
END_TEST

START_TEST(a_reservation_fails_and_nothing_has_changed)
{
        int r;

        checkerboard(1000);
        fault_alloc_at(0);
        r = usage_nodes_reserve(&nodes, 1000);
        fault_alloc_at(-1);
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_uint_eq(tree.totals.entries, 1000);
        ck_assert_ptr_null(usage_tree_validate(&tree));
}
END_TEST

START_TEST(a_change_without_a_reservation_aborts)
{
        struct usage_entry entry = {.start = 0, .end = 1, .refs = 1};

        usage_tree_insert(&tree, &entry);
}
END_TEST

START_TEST(an_insert_over_an_entry_aborts)
{
        insert(0, 4, 1, KIND_ANONYMOUS, 0);
        insert(3, 5, 1, KIND_ANONYMOUS, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("usage_tree");
        TCase *core = harness_case(suite, "core", 20);
        TCase *limits = harness_case(suite, "limits", 20);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, neighbours_of_a_kind_are_one_entry);
        tcase_add_test(core, a_reference_cuts_and_giving_it_back_mends);
        tcase_add_test(core, what_nobody_holds_is_system_and_merges_across_kinds);
        tcase_add_test(core, a_cut_divides_what_is_committed_and_keeps_the_sum);
        tcase_add_test(core, a_cut_of_all_or_nothing_is_exact);
        tcase_add_test(core, what_is_being_counted_loses_its_mark_when_it_is_cut_or_merged);
        tcase_add_test(core, gaps_are_found_lowest_first);
        tcase_add_test(core, a_gap_that_is_long_enough_but_misaligned_is_passed_over);
        tcase_add_test(core, the_whole_capacity_can_be_had_and_not_a_page_more);
        tcase_add_test(core, upward_allocation_leaves_full_nodes);
        tcase_add_test(core, a_change_spans_many_leaves_and_merges_them_all);
        tcase_add_test(core, removing_everything_returns_the_memory);
        tcase_add_test(core, a_reservation_fails_and_nothing_has_changed);
        tcase_add_checked_fixture(limits, set_up, NULL);
        tcase_add_test_raise_signal(limits, a_change_without_a_reservation_aborts, SIGABRT);
        tcase_add_test_raise_signal(limits, an_insert_over_an_entry_aborts, SIGABRT);
        return harness_run(suite);
}
