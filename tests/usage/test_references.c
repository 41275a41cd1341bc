// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "usage/usage_tree.h"

#define CAPACITY 100000u
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
        ck_assert_uint_eq(usage_tree_count_nodes(&tree), nodes.live);
        usage_tree_clear(&tree);
        usage_nodes_deinit(&nodes);
}

static void reserve(void)
{
        ck_assert_int_eq(usage_nodes_reserve(&nodes, usage_tree_need(&tree)), 0);
}

static void insert(uint32_t start, uint32_t end, uint32_t refs, uint32_t committed)
{
        struct usage_entry entry = {start, end, refs, committed, KIND_ANONYMOUS};

        reserve();
        usage_tree_insert(&tree, &entry);
}

static void incref(uint32_t start, uint32_t end)
{
        reserve();
        usage_tree_incref(&tree, NULL, start, end);
}

static void decref(uint32_t start, uint32_t end)
{
        reserve();
        usage_tree_decref(&tree, NULL, start, end, 1);
}

static struct usage_entry find(uint32_t page)
{
        struct usage_entry entry = {0};

        ck_assert(usage_tree_find(&tree, page, &entry));
        return entry;
}

static void expect(uint32_t start, uint32_t end, uint32_t refs, uint32_t committed)
{
        struct usage_entry entry = find(start);

        ck_assert_uint_eq(entry.start, start);
        ck_assert_uint_eq(entry.end, end);
        ck_assert_uint_eq(entry.refs, refs);
        ck_assert_uint_eq(entry.committed, committed);
}

static bool add_mark(struct usage_entry *entry, void *argument)
{
        (void)argument;
        entry->tags |= USAGE_SCANNING;
        return true;
}

static void mark(uint32_t page)
{
        struct usage_entry entry = find(page);

        usage_tree_change(&tree, entry.start, entry.end, add_mark, NULL);
        ck_assert(find(page).tags & USAGE_SCANNING);
}

static size_t count_marks(void)
{
        struct usage_entry entries[8];

        return usage_tree_collect_tagged(&tree, 0, USAGE_SCANNING, entries, 8);
}

START_TEST(a_part_of_an_entry_is_cut_out_with_what_is_committed_of_it)
{
        insert(0, 100, 1, 100);
        insert(200, 300, 1, 0);
        incref(10, 30);
        incref(210, 230);
        expect(0, 10, 1, 10);
        expect(10, 30, 2, 20);
        expect(30, 100, 1, 70);
        expect(200, 210, 1, 0);
        expect(210, 230, 2, 0);
        expect(230, 300, 1, 0);
}
END_TEST

START_TEST(a_part_of_several_entries_is_cut_out)
{
        insert(0, 100, 1, 100);
        incref(40, 50);
        incref(30, 60);
        expect(0, 30, 1, 30);
        expect(30, 40, 2, 10);
        expect(40, 50, 3, 10);
        expect(50, 60, 2, 10);
        expect(60, 100, 1, 40);
        decref(30, 60);
        expect(0, 40, 1, 40);
        expect(40, 50, 2, 10);
        expect(50, 100, 1, 50);
        decref(40, 50);
        expect(0, 100, 1, 100);
        ck_assert_uint_eq(tree.totals.entries, 1);
}
END_TEST

START_TEST(a_cut_through_what_is_committed_in_part_is_an_estimate)
{
        insert(0, 100, 1, 50);
        incref(10, 30);
        ck_assert_uint_eq(find(0).committed + find(10).committed + find(30).committed, 50);
        ck_assert(find(0).tags & USAGE_ESTIMATED);
        ck_assert(find(10).tags & USAGE_ESTIMATED);
        ck_assert(find(30).tags & USAGE_ESTIMATED);
        decref(10, 30);
        expect(0, 100, 1, 50);
        ck_assert(find(0).tags & USAGE_ESTIMATED);
}
END_TEST

START_TEST(what_is_being_counted_loses_its_mark_when_a_part_is_cut_out)
{
        insert(0, 100, 1, 0);
        mark(0);
        incref(10, 30);
        ck_assert_uint_eq(count_marks(), 0);
}
END_TEST

START_TEST(what_is_being_counted_loses_its_mark_when_it_melts_in)
{
        for (uint32_t page = 0; page < 50; page += 10) {
                insert(0, 100, 1, 0);
                incref(20, 30);
                incref(20, 40);
                mark(page);
                decref(20, 40);
                decref(20, 30);
                ck_assert_uint_eq(count_marks(), 0);
                expect(0, 100, 1, 0);
                usage_tree_clear(&tree);
        }
}
END_TEST

START_TEST(what_is_being_counted_loses_its_mark_when_it_is_freed_into_its_neighbours)
{
        for (uint32_t page = 10; page < 40; page += 10) {
                insert(0, 50, 1, 50);
                decref(10, 20);
                decref(30, 40);
                mark(page);
                decref(20, 30);
                ck_assert_uint_eq(count_marks(), 0);
                expect(10, 40, 0, 30);
                usage_tree_clear(&tree);
        }
}
END_TEST

START_TEST(what_is_freed_becomes_one_with_what_is_freed_beside_it)
{
        insert(0, 10, 1, 10);
        insert(10, 20, 2, 0);
        insert(20, 30, 3, 10);
        insert(30, 40, 4, 0);
        insert(40, 50, 5, 10);
        reserve();
        usage_tree_decref(&tree, NULL, 10, 20, 2);
        expect(10, 20, 0, 0);
        ck_assert_uint_eq(tree.totals.entries, 5);
        usage_tree_decref(&tree, NULL, 30, 40, 4);
        expect(30, 40, 0, 0);
        usage_tree_decref(&tree, NULL, 20, 30, 3);
        expect(10, 40, 0, 10);
        ck_assert_uint_eq(tree.totals.entries, 3);
        ck_assert_uint_eq(tree.totals.freed, 30);
        ck_assert_uint_eq(tree.totals.freed_committed, 10);
        ck_assert_uint_eq(tree.totals.pages[KIND_ANONYMOUS], 20);
        ck_assert_uint_eq(
                usage_entry_kind(&(struct usage_entry){.tags = find(10).tags}), KIND_SYSTEM);
}
END_TEST

START_TEST(what_a_session_holds_no_more_is_no_freed_entry)
{
        insert(0, 30, 1, 0);
        incref(10, 20);
        reserve();
        usage_tree_decrease(&tree, NULL, 10, 20, 2);
        expect(0, 10, 1, 0);
        expect(20, 30, 1, 0);
        ck_assert_uint_eq(tree.totals.freed, 0);
        ck_assert_uint_eq(tree.totals.entries, 2);
}
END_TEST

/* A leaf has 24 entries or more, so a tree of 500 has at most 21 leaves and a few nodes above. */
#define NODES_OF_500 25

START_TEST(leaves_that_lose_entries_by_giving_back_are_joined)
{
        insert(0, 20001, 1, 0);
        for (uint32_t page = 1; page < 20000; page += 2)
                incref(page, page + 1);
        ck_assert_uint_eq(tree.totals.entries, 20001);
        for (uint32_t page = 1; page < 20000; page += 2)
                if (page % 80 != 1)
                        decref(page, page + 1);
        ck_assert_uint_eq(tree.totals.entries, 501);
        ck_assert_uint_le(nodes.live, NODES_OF_500);
}
END_TEST

START_TEST(leaves_that_lose_entries_by_filled_gaps_are_joined)
{
        for (uint32_t page = 0; page < 40000; page += 2)
                insert(page, page + 1, 1, 0);
        for (uint32_t page = 1; page < 40000; page += 2)
                if (page % 80 != 1)
                        insert(page, page + 1, 1, 0);
        ck_assert_uint_eq(tree.totals.entries, 501);
        ck_assert_uint_le(nodes.live, NODES_OF_500);
}
END_TEST

START_TEST(freed_neighbours_of_many_leaves_become_one)
{
        for (uint32_t page = 0; page < 10000; page++)
                insert(page, page + 1, 1 + page % 2, 1);
        for (uint32_t page = 1; page < 9999; page++) {
                reserve();
                usage_tree_decref(&tree, NULL, page, page + 1, 1 + page % 2);
        }
        expect(1, 9999, 0, 9998);
        ck_assert_uint_eq(tree.totals.entries, 3);
        ck_assert_uint_eq(nodes.live, 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("references");
        TCase *core = harness_case(suite, "core", 20);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, a_part_of_an_entry_is_cut_out_with_what_is_committed_of_it);
        tcase_add_test(core, a_part_of_several_entries_is_cut_out);
        tcase_add_test(core, a_cut_through_what_is_committed_in_part_is_an_estimate);
        tcase_add_test(core, what_is_being_counted_loses_its_mark_when_a_part_is_cut_out);
        tcase_add_test(core, what_is_being_counted_loses_its_mark_when_it_melts_in);
        tcase_add_test(
                core, what_is_being_counted_loses_its_mark_when_it_is_freed_into_its_neighbours);
        tcase_add_test(core, what_is_freed_becomes_one_with_what_is_freed_beside_it);
        tcase_add_test(core, what_a_session_holds_no_more_is_no_freed_entry);
        tcase_add_test(core, leaves_that_lose_entries_by_giving_back_are_joined);
        tcase_add_test(core, leaves_that_lose_entries_by_filled_gaps_are_joined);
        tcase_add_test(core, freed_neighbours_of_many_leaves_become_one);
        return harness_run(suite);
}
