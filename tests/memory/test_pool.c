// SPDX-License-Identifier: Apache-2.0
#include "memory/fixture.h"
#include "support/fault.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct holder *alice, *bob;

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &alice), 0);
        ck_assert_int_eq(holder_new(pool, &bob), 0);
}

static void tear_down(void)
{
        pool_validate(pool);
        alice = holder_free(alice);
        bob = holder_free(bob);
        fixture_tear_down();
}

static uint64_t refs_at(uint64_t page)
{
        struct pool_entry entry;
        uint64_t next;

        if (!pool_dump(pool, page * FIXTURE_PAGE, &entry, 1, &next) ||
                entry.range.start > page * FIXTURE_PAGE)
                return UINT64_MAX;
        return entry.refs;
}

START_TEST(small_allocations_lie_side_by_side_and_large_ones_at_hugepages)
{
        struct range small = take(alice, 1, KIND_ANONYMOUS), huge, more;

        huge = take(alice, 512, KIND_ANONYMOUS);
        more = take(bob, 1, KIND_TMPFS);
        ck_assert_uint_eq(small.start, 0);
        ck_assert_uint_eq(huge.start, HUGEPAGE_SIZE);
        ck_assert_uint_eq(more.start, FIXTURE_PAGE);
}
END_TEST

START_TEST(the_size_doubles_when_an_allocation_ends_beyond_it)
{
        struct range range;
        uint64_t size;

        ck_assert_int_eq(pool_allocate(alice, CHUNK_SIZE, 1, &range, &size), 0);
        ck_assert_uint_eq(size, CHUNK_SIZE);
        ck_assert_int_eq(pool_allocate(alice, FIXTURE_PAGE, 1, &range, &size), 0);
        ck_assert_uint_eq(size, 2 * CHUNK_SIZE);
        ck_assert_int_eq(pool_allocate(alice, 30 * CHUNK_SIZE, 1, &range, &size), 0);
        ck_assert_uint_eq(size, 32 * CHUNK_SIZE);
}
END_TEST

START_TEST(a_full_pool_says_so_and_stays_usable)
{
        struct range all = take(alice, FIXTURE_CAPACITY / FIXTURE_PAGE, KIND_ANONYMOUS), more;
        uint64_t size;

        ck_assert_int_eq(pool_allocate(bob, FIXTURE_PAGE, 1, &more, &size), OUTCOME_POOL_FULL);
        ck_assert_int_eq(pool_decref(alice, all), 0);
        ck_assert_int_eq(pool_allocate(bob, FIXTURE_PAGE, 1, &more, &size), OUTCOME_POOL_FULL);
        reclaim_all();
        ck_assert_int_eq(pool_allocate(bob, FIXTURE_PAGE, 1, &more, &size), 0);
}
END_TEST

START_TEST(references_of_two_holders_add_up)
{
        struct range range = take(alice, 10, KIND_PAGE_CACHE);

        ck_assert_int_eq(pool_incref(bob, pages(2, 4)), 0);
        ck_assert_int_eq(pool_incref(bob, pages(3, 5)), 0);
        ck_assert_uint_eq(refs_at(2), 2);
        ck_assert_uint_eq(refs_at(3), 3);
        ck_assert_int_eq(pool_decref(alice, range), 0);
        ck_assert_uint_eq(refs_at(1), 0);
        ck_assert_uint_eq(refs_at(3), 2);
        pool_validate(pool);
        ck_assert_int_eq(pool_decref(bob, pages(2, 5)), 0);
        ck_assert_int_eq(pool_decref(bob, pages(3, 4)), 0);
        reclaim_all();
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
}
END_TEST

START_TEST(nobody_gives_up_what_others_hold)
{
        struct range range = take(alice, 4, KIND_ANONYMOUS);

        ck_assert_int_eq(pool_decref(bob, range), OUTCOME_NOT_HELD);
        ck_assert_int_eq(pool_incref(bob, pages(0, 2)), 0);
        ck_assert_int_eq(pool_decref(bob, range), OUTCOME_NOT_HELD);
        ck_assert_uint_eq(refs_at(0), 2);
        ck_assert_int_eq(pool_decref(bob, pages(0, 2)), 0);
        ck_assert_int_eq(pool_decref(bob, pages(0, 2)), OUTCOME_NOT_HELD);
}
END_TEST

START_TEST(a_freed_range_cannot_be_revived_or_freed_again)
{
        struct range range = take(alice, 4, KIND_ANONYMOUS);

        ck_assert_int_eq(pool_decref(alice, pages(1, 3)), 0);
        ck_assert_int_eq(pool_incref(alice, range), OUTCOME_NOT_ALLOCATED);
        ck_assert_int_eq(pool_incref(alice, pages(1, 3)), OUTCOME_NOT_ALLOCATED);
        ck_assert_int_eq(pool_decref(alice, pages(1, 3)), OUTCOME_NOT_ALLOCATED);
        ck_assert_int_eq(pool_decref(alice, pages(0, 2)), OUTCOME_NOT_ALLOCATED);
        ck_assert_uint_eq(refs_at(0), 1);
}
END_TEST

START_TEST(wrong_arguments_are_told_apart)
{
        struct range range = take(alice, 4, KIND_ANONYMOUS);
        uint64_t size;

        ck_assert_int_eq(pool_allocate(alice, 0, 1, &range, &size), OUTCOME_LENGTH_ZERO);
        ck_assert_int_eq(pool_allocate(alice, 4097, 1, &range, &size), OUTCOME_LENGTH_UNALIGNED);
        ck_assert_int_eq(
                pool_allocate(alice, 4096, KIND_COUNT, &range, &size), OUTCOME_KIND_UNKNOWN);
        ck_assert_int_eq(
                pool_allocate(alice, 4096, UINT32_MAX, &range, &size), OUTCOME_KIND_UNKNOWN);
        ck_assert_int_eq(pool_incref(alice, pages(4, 4)), OUTCOME_RANGE_EMPTY);
        ck_assert_int_eq(pool_decref(alice, (struct range){1, 4096}), OUTCOME_RANGE_UNALIGNED);
        ck_assert_int_eq(
                pool_incref(alice, (struct range){0, 2 * FIXTURE_CAPACITY}), OUTCOME_RANGE_BEYOND);
        ck_assert_int_eq(pool_incref(alice, pages(3, 5)), OUTCOME_NOT_ALLOCATED);
}
END_TEST

static bool set_refs(struct usage_entry *entry, void *argument)
{
        entry->refs = *(uint32_t *)argument;
        return true;
}

/* Four thousand million messages would take too long: this is what they lead to. */
static void set_all_refs(struct holder *holder, uint32_t start, uint32_t end, uint32_t refs)
{
        ck_assert_int_eq(usage_nodes_reserve(&pool->nodes, 20), 0);
        usage_tree_change(&pool->tree, start, end, set_refs, &refs);
        usage_tree_change(&holder->holdings, start, end, set_refs, &refs);
}

START_TEST(references_do_not_overflow)
{
        struct range range = take(alice, 2, KIND_ANONYMOUS);

        set_all_refs(alice, 1, 2, UINT32_MAX);
        pool_validate(pool);
        ck_assert_int_eq(pool_incref(alice, range), OUTCOME_REFS_OVERFLOW);
        ck_assert_int_eq(pool_incref(bob, range), OUTCOME_REFS_OVERFLOW);
        ck_assert_uint_eq(refs_at(0), 1);
        ck_assert_int_eq(pool_decref(alice, range), 0);
        ck_assert_int_eq(pool_incref(bob, pages(1, 2)), 0);
        ck_assert_uint_eq(refs_at(1), UINT32_MAX);
}
END_TEST

START_TEST(decommit_gives_the_memory_back_and_keeps_the_range)
{
        struct range range = take(alice, 8, KIND_TMPFS);
        struct pool_usage usage;

        client_touch(range, 1);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 8 * FIXTURE_PAGE);
        ck_assert_int_eq(decommit(alice, pages(2, 4), false), 0);
        ck_assert(client_reads_zero(pages(2, 4)));
        ck_assert_uint_eq(stored(), 6 * FIXTURE_PAGE);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 6 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.allocated[KIND_TMPFS], 8 * FIXTURE_PAGE);
        ck_assert_uint_eq(pool->tree.totals.entries, 1);
        ck_assert_uint_eq(refs_at(3), 1);
}
END_TEST

START_TEST(decommit_is_for_who_holds_it_alone)
{
        struct range range = take(alice, 8, KIND_TMPFS);

        client_touch(range, 1);
        ck_assert_int_eq(decommit(bob, range, false), OUTCOME_NOT_HELD);
        ck_assert_int_eq(decommit(bob, range, true), OUTCOME_NOT_HELD);
        ck_assert_int_eq(decommit(alice, pages(4, 12), false), OUTCOME_NOT_ALLOCATED);
        ck_assert_int_eq(pool_incref(bob, pages(3, 4)), 0);
        ck_assert_int_eq(decommit(alice, range, false), OUTCOME_SHARED);
        ck_assert_int_eq(decommit(bob, pages(3, 4), false), OUTCOME_SHARED);
        ck_assert_uint_eq(stored(), 8 * FIXTURE_PAGE);
        ck_assert_int_eq(decommit(alice, range, true), 0);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(two_references_of_one_holder_are_not_shared)
{
        struct range range = take(alice, 8, KIND_TMPFS);

        ck_assert_int_eq(pool_incref(alice, pages(2, 6)), 0);
        ck_assert_int_eq(decommit(alice, range, false), 0);
}
END_TEST

START_TEST(what_a_session_held_goes_with_it)
{
        struct range range = take(alice, 8, KIND_TMPFS);
        struct holder_information held;

        ck_assert_int_eq(pool_incref(alice, range), 0);
        ck_assert_int_eq(pool_incref(bob, pages(0, 2)), 0);
        holder_information(alice, &held);
        ck_assert_uint_eq(held.held, 8 * FIXTURE_PAGE);
        ck_assert_uint_eq(held.holdings, 1);
        alice = holder_free(alice);
        pool_validate(pool);
        ck_assert_uint_eq(refs_at(0), 1);
        ck_assert_uint_eq(refs_at(2), 0);
}
END_TEST

START_TEST(holdings_tell_kinds_apart)
{
        struct holder_information held;

        for (int i = 0; i < 300; i++)
                take(alice, 1, i % 3 ? KIND_TMPFS : KIND_ANONYMOUS);
        holder_information(alice, &held);
        ck_assert_uint_eq(held.holdings, 200); /* as many as the pool has because of them */
        ck_assert_uint_eq(pool->tree.totals.entries, 200);
        ck_assert_int_eq(pool_incref(bob, pages(100, 101)), 0);
        ck_assert_int_eq(pool_incref(bob, pages(50, 250)), 0);
        pool_validate(pool);
        holder_information(bob, &held);
        ck_assert_uint_eq(held.held, 200 * FIXTURE_PAGE);
        alice = holder_free(alice);
        ck_assert_int_eq(pool_decref(bob, pages(50, 250)), 0);
        holder_information(bob, &held);
        ck_assert_uint_eq(held.holdings, 1);
        ck_assert_uint_eq(held.held, FIXTURE_PAGE);
        pool_validate(pool);
}
END_TEST

START_TEST(a_large_holding_is_released_piece_by_piece)
{
        for (int i = 0; i < 5000; i++)
                take(i % 2 ? alice : bob, 1, i % 4 < 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        bob = holder_free(bob);
        ck_assert(!LIST_EMPTY(&pool->orphans));
        pool_validate(pool);
        ck_assert_int_eq(reclaim_step(pool, clock_now()), RECLAIM_MORE);
        pool_validate(pool);
        reclaim_all();
        ck_assert(LIST_EMPTY(&pool->orphans));
        ck_assert_uint_eq(pool->tree.totals.entries, 2500);
}
END_TEST

START_TEST(a_dump_comes_in_pages)
{
        struct pool_entry entries[3];
        uint64_t next = 0;

        for (int i = 0; i < 5; i++)
                take(alice, 2, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        ck_assert_uint_eq(pool_dump(pool, 0, entries, 3, &next), 3);
        ck_assert_uint_eq(next, 6 * FIXTURE_PAGE);
        ck_assert_uint_eq(pool_dump(pool, next, entries, 3, &next), 2);
        ck_assert_uint_eq(next, 0);
        ck_assert_uint_eq(entries[1].range.end, 10 * FIXTURE_PAGE);
        ck_assert_uint_eq(pool_dump(pool, UINT64_MAX, entries, 3, &next), 0);
        ck_assert_uint_eq(pool_dump(pool, 0, entries, 0, &next), 0);
        ck_assert_uint_eq(pool_dump(pool, 1, entries, 1, &next), 1);
        ck_assert_uint_eq(entries[0].range.start, 0);
}
END_TEST

/* Every allocation of every operation fails once: the operation says so and changes nothing. */
static int do_operation(int which, struct range *range)
{
        uint64_t size;

        switch (which) {
        case 0:
                return pool_allocate(alice, FIXTURE_PAGE, KIND_MAPPED, range, &size);
        case 1:
                return pool_incref(bob, pages(1, 900));
        default:
                return pool_decref(alice, pages(401, 402));
        }
}

START_TEST(out_of_memory_changes_nothing)
{
        struct range range;
        uint64_t entries;
        int r;

        for (int i = 0; i < 1000; i++)
                take(alice, 1, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
        while (pool->nodes.free_count) { /* what is reserved already cannot fail */
                struct usage_nodes empty = pool->nodes;

                empty.live = 0;
                usage_nodes_deinit(&empty);
                pool->nodes.free = NULL;
                pool->nodes.free_count = 0;
        }
        entries = pool->tree.totals.entries;
        fault_alloc_at(_i % 4);
        r = do_operation(_i / 4, &range);
        fault_alloc_at(-1);
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_uint_eq(pool->tree.totals.entries, entries);
        pool_validate(pool);
        ck_assert_int_eq(do_operation(_i / 4, &range), 0);
        pool_validate(pool);
}
END_TEST

START_TEST(out_of_memory_for_a_pool_or_holder_leaves_nothing_behind)
{
        struct pool_options options = {.name = "other", .capacity = CHUNK_SIZE};
        struct pool *other = NULL;
        struct holder *holder = NULL;
        int r[2];

        fault_alloc_at(0);
        r[0] = holder_new(pool, &holder);
        fault_alloc_at(0);
        r[1] = pool_new(memory, &options, &other);
        fault_alloc_at(-1);
        ck_assert_int_eq(r[0], -ENOMEM);
        ck_assert_int_eq(r[1], -ENOMEM);
        ck_assert_ptr_null(holder);
        ck_assert_ptr_null(other);
}
END_TEST

START_TEST(options_out_of_range_are_refused)
{
        char name[80];
        struct pool_options options = {.name = "x", .capacity = CHUNK_SIZE + 4096};
        struct pool *other = NULL;

        memset(name, 'n', sizeof(name));
        name[79] = '\0';
        ck_assert_int_eq(pool_new(memory, &options, &other), -EINVAL);
        options.capacity = POOL_PAGES_MAX * FIXTURE_PAGE + CHUNK_SIZE;
        ck_assert_int_eq(pool_new(memory, &options, &other), -EINVAL);
        options = (struct pool_options){.name = "", .capacity = CHUNK_SIZE};
        ck_assert_int_eq(pool_new(memory, &options, &other), -EINVAL);
        options.name = name;
        ck_assert_int_eq(pool_new(memory, &options, &other), -EINVAL);
        ck_assert_ptr_null(other);
}
END_TEST

START_TEST(by_default_a_pool_has_twice_the_ram_or_more)
{
        struct pool_options options = {.name = "default"};
        struct pool_information info;
        struct pool *other;
        uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * FIXTURE_PAGE;

        ck_assert_int_eq(pool_new(memory, &options, &other), 0);
        pool_information(other, &info);
        ck_assert_uint_ge(info.capacity, ram * 2);
        ck_assert_uint_lt(info.capacity, ram * 4 + 2 * CHUNK_SIZE);
        ck_assert_uint_eq(info.capacity & (info.capacity - 1), 0);
        ck_assert_str_eq(info.name, "default");
        ck_assert_uint_eq(info.size, CHUNK_SIZE);
        pool_free(other);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pool");
        TCase *core = harness_case(suite, "core", 10);
        TCase *limits = harness_case(suite, "limits", 10);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_checked_fixture(limits, set_up, tear_down);
        tcase_add_test(core, small_allocations_lie_side_by_side_and_large_ones_at_hugepages);
        tcase_add_test(core, the_size_doubles_when_an_allocation_ends_beyond_it);
        tcase_add_test(core, a_full_pool_says_so_and_stays_usable);
        tcase_add_test(core, references_of_two_holders_add_up);
        tcase_add_test(core, nobody_gives_up_what_others_hold);
        tcase_add_test(core, a_freed_range_cannot_be_revived_or_freed_again);
        tcase_add_test(core, wrong_arguments_are_told_apart);
        tcase_add_test(core, decommit_gives_the_memory_back_and_keeps_the_range);
        tcase_add_test(core, decommit_is_for_who_holds_it_alone);
        tcase_add_test(core, two_references_of_one_holder_are_not_shared);
        tcase_add_test(core, what_a_session_held_goes_with_it);
        tcase_add_test(core, holdings_tell_kinds_apart);
        tcase_add_test(core, a_large_holding_is_released_piece_by_piece);
        tcase_add_test(core, a_dump_comes_in_pages);
        tcase_add_test(limits, references_do_not_overflow);
        tcase_add_loop_test(limits, out_of_memory_changes_nothing, 0, 12);
        tcase_add_test(limits, out_of_memory_for_a_pool_or_holder_leaves_nothing_behind);
        tcase_add_test(limits, options_out_of_range_are_refused);
        tcase_add_test(limits, by_default_a_pool_has_twice_the_ram_or_more);
        return harness_run(suite);
}
