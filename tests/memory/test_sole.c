// SPDX-License-Identifier: Apache-2.0
/*
 * One holder that holds all there is: its holdings are the pool's tree, until somebody else gets a
 * reference. Nobody can tell from outside.
 */
#include "memory/fixture.h"
#include "support/fault.h"

#include "base/error.h"

#include <errno.h>

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
        pool_validate(pool);
        reclaim_all();
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
        fixture_tear_down();
}

/* Pages of two kinds in turn, so that none merge. */
static void take_many(struct holder *holder, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                take(holder, 1, i % 2 ? KIND_TMPFS : KIND_ANONYMOUS);
}

START_TEST(a_pool_with_one_holder_has_one_tree)
{
        take_many(alice, 1000);
        ck_assert_ptr_eq(pool->sole, alice);
        ck_assert_ptr_null(alice->holdings.root);
}
END_TEST

START_TEST(who_holds_nothing_changes_nothing)
{
        struct range range = take(alice, 4, KIND_TMPFS);
        struct holder_information held;

        ck_assert_int_eq(pool_decref(bob, range), OUTCOME_NOT_HELD);
        ck_assert_ptr_eq(pool->sole, alice);
        holder_information(bob, &held);
        ck_assert_uint_eq(held.held, 0);
        ck_assert_uint_eq(held.holdings, 0);
        bob = holder_free(bob);
        ck_assert_ptr_eq(pool->sole, alice);
}
END_TEST

START_TEST(holdings_are_written_down_when_a_second_one_takes_a_reference)
{
        struct holder_information held;

        take_many(alice, 1000);
        ck_assert_int_eq(pool_decref(alice, pages(10, 20)), 0);
        ck_assert_int_eq(pool_incref(bob, pages(5, 8)), 0);
        ck_assert_ptr_null(pool->sole);
        pool_validate(pool);
        holder_information(alice, &held);
        ck_assert_uint_eq(held.held, 990 * FIXTURE_PAGE);
        holder_information(bob, &held);
        ck_assert_uint_eq(held.held, 3 * FIXTURE_PAGE);
        ck_assert_int_eq(pool_decref(alice, pages(5, 8)), 0);
        ck_assert_int_eq(pool_decref(alice, pages(5, 8)), OUTCOME_NOT_HELD);
        ck_assert_int_eq(pool_decref(bob, pages(5, 8)), 0);
}
END_TEST

START_TEST(and_when_a_second_one_allocates)
{
        struct range range = take(alice, 3, KIND_TMPFS), other = take(bob, 3, KIND_TMPFS);

        ck_assert_ptr_null(pool->sole);
        ck_assert_int_eq(pool_decref(alice, other), OUTCOME_NOT_HELD);
        ck_assert_int_eq(pool_decref(bob, range), OUTCOME_NOT_HELD);
        ck_assert_int_eq(pool_decref(bob, other), 0);
}
END_TEST

START_TEST(without_memory_to_write_them_down_nothing_happens)
{
        struct range range;
        uint64_t size;
        int r;

        take_many(alice, 1000);
        fault_alloc_at(_i);
        r = pool_allocate(bob, FIXTURE_PAGE, KIND_TMPFS, &range, &size);
        fault_alloc_at(-1);
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_ptr_eq(pool->sole, alice);
        pool_validate(pool);
        take(bob, 1, KIND_TMPFS);
}
END_TEST

START_TEST(a_pool_that_was_emptied_is_anybodys)
{
        struct range range = take(alice, 3, KIND_TMPFS);

        take(bob, 3, KIND_TMPFS);
        ck_assert_int_eq(pool_decref(alice, range), 0);
        bob = holder_free(bob);
        ck_assert_int_eq(holder_new(pool, &bob), 0);
        take(bob, 1, KIND_ANONYMOUS);
        ck_assert_ptr_eq(pool->sole, bob);
        take(bob, 1, KIND_TMPFS);
}
END_TEST

START_TEST(what_the_sole_one_held_goes_piece_by_piece)
{
        take_many(alice, 3000);
        alice = holder_free(alice);
        ck_assert(!LIST_EMPTY(&pool->orphans));
        pool_validate(pool);
        reclaim_all();
        ck_assert(LIST_EMPTY(&pool->orphans));
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
        ck_assert_ptr_null(pool->sole);
}
END_TEST

START_TEST(somebody_may_come_while_it_goes)
{
        struct holder_information held;

        take_many(alice, 3000);
        alice = holder_free(alice);
        take(bob, 7, KIND_MAPPED);
        pool_validate(pool);
        holder_information(bob, &held);
        ck_assert_uint_eq(held.held, 7 * FIXTURE_PAGE);
        reclaim_all();
        ck_assert(LIST_EMPTY(&pool->orphans));
        ck_assert_uint_eq(pool->tree.totals.entries, 1);
        ck_assert_uint_eq(pool->tree.totals.pages[KIND_MAPPED], 7);
}
END_TEST

START_TEST(decommit_by_the_sole_one_needs_no_permission)
{
        struct range range = take(alice, 4, KIND_TMPFS);

        client_touch(range, 1);
        ck_assert_int_eq(pool_incref(alice, range), 0);
        ck_assert_int_eq(decommit(alice, range, false), 0);
        ck_assert_uint_eq(stored(), 0);
        ck_assert_int_eq(decommit(bob, range, false), OUTCOME_NOT_HELD);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sole");
        TCase *core = harness_case(suite, "core", 60);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, a_pool_with_one_holder_has_one_tree);
        tcase_add_test(core, who_holds_nothing_changes_nothing);
        tcase_add_test(core, holdings_are_written_down_when_a_second_one_takes_a_reference);
        tcase_add_test(core, and_when_a_second_one_allocates);
        tcase_add_loop_test(core, without_memory_to_write_them_down_nothing_happens, 0, 8);
        tcase_add_test(core, a_pool_that_was_emptied_is_anybodys);
        tcase_add_test(core, what_the_sole_one_held_goes_piece_by_piece);
        tcase_add_test(core, somebody_may_come_while_it_goes);
        tcase_add_test(core, decommit_by_the_sole_one_needs_no_permission);
        return harness_run(suite);
}
