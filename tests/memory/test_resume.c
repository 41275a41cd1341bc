// SPDX-License-Identifier: Apache-2.0
/* Pools that go on from their journals: what there is in their next life. */
#include "memory/reborn.h"

#include <errno.h>

START_TEST(what_sessions_hold_survives)
{
        struct holder *first = join(1), *second = join(2);
        struct range range = take(first, 10, KIND_TMPFS);
        struct pool *again;

        take(second, 3, KIND_ANONYMOUS);
        ck_assert_int_eq(pool_incref(second, pages(2, 5)), 0);
        ck_assert_int_eq(pool_decref(first, pages(8, 10)), 0);
        again = reborn(pool);
        assert_same(pool, again);
        first->results.claimed = false;
        ck_assert_ptr_nonnull(pool_claim_holder(again, 1));
        ck_assert_ptr_null(pool_claim_holder(again, 1));
        ck_assert_ptr_null(pool_claim_holder(again, 3));
        reborn_free(again);
        (void)range;
        holder_free(first);
        holder_free(second);
        reclaim_all();
        assert_survives();
        fixture_tear_down();
}
END_TEST

START_TEST(what_nobody_claims_is_released_and_given_back)
{
        struct holder *holder = join(1);
        struct range range = take(holder, 100, KIND_TMPFS);
        struct pool *again;

        client_touch(range, 1);
        again = reborn(pool);
        pool_release_unclaimed(again);
        while (is_more(reclaim_step(again, 0))) {
        }
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(again->tree.totals.entries, 0);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(the_first_scan_makes_what_is_committed_exact)
{
        struct holder *holder = join(1);
        struct pool_usage usage;
        struct pool *again;

        client_touch(take(holder, 100, KIND_TMPFS), 2);
        again = reborn(pool);
        pool_usage(again, &usage);
        ck_assert(!usage.exact);
        ck_assert_int_eq(scan_run(again), 0);
        pool_usage(again, &usage);
        ck_assert(usage.exact);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 50 * FIXTURE_PAGE);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(results_of_the_last_request_survive)
{
        struct holder *holder = join(5), *next;
        struct pool_result result;
        struct range range;
        struct pool *again;

        begin(holder, 7, 0);
        take(holder, 1, KIND_TMPFS);
        begin(holder, 8, 0);
        take(holder, 2, KIND_TMPFS);
        begin(holder, 8, 2);
        ck_assert_int_eq(pool_decref(holder, pages(50, 51)), OUTCOME_NOT_ALLOCATED);
        holder_note(holder, OUTCOME_NOT_ALLOCATED);
        begin(holder, 8, 3);
        range = take(holder, 3, KIND_ANONYMOUS);
        begin(holder, 8, 255);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        again = reborn(pool);
        assert_same(pool, again);
        next = pool_claim_holder(again, 5);
        ck_assert_uint_eq(holder_last_request(next), 8);
        ck_assert(!holder_recall(next, 7, 0, &result));
        ck_assert(!holder_recall(next, 8, 1, &result));
        ck_assert(!holder_recall(next, 0, 0, &result));
        ck_assert(holder_recall(next, 8, 2, &result));
        ck_assert_int_eq(result.result, OUTCOME_NOT_ALLOCATED);
        ck_assert(holder_recall(next, 8, 3, &result));
        ck_assert_int_eq(result.result, 0);
        ck_assert_uint_eq(result.range.start, range.start);
        ck_assert_uint_eq(result.range.end, range.end);
        ck_assert(holder_recall(next, 8, 255, &result));
        ck_assert(!result.part);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(a_decref_in_parts_goes_on_where_it_was)
{
        struct holder *holder = join(1), *next;
        struct range range = take(holder, 40000, KIND_TMPFS);
        uint64_t from = range.start;
        struct pool_result result;
        struct pool *again;

        for (uint64_t page = 0; page < 40000; page += 2)
                ck_assert_int_eq(pool_incref(holder, pages(page, page + 1)), 0);
        begin(holder, 1, 4);
        ck_assert_int_eq(pool_decref_part(holder, range, &from), 0);
        ck_assert_uint_lt(from, range.end);
        again = reborn(pool);
        assert_same(pool, again);
        next = pool_claim_holder(again, 1);
        ck_assert(holder_recall(next, 1, 4, &result));
        ck_assert(result.part);
        ck_assert_uint_eq(result.range.end, from);
        from = result.range.end;
        begin(next, 1, 4);
        while (from < range.end)
                ck_assert_int_eq(pool_decref_part(next, range, &from), 0);
        ck_assert(holder_recall(next, 1, 4, &result));
        ck_assert(!result.part);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

static int done_result;

static void note_done(struct pool_job *job, int result)
{
        (void)job;
        done_result = result;
}

START_TEST(an_allocation_that_is_being_prepared_is_not_there_yet)
{
        struct holder *holder = join(1), *next;
        struct pool_job job = {.done = note_done};
        struct pool_result result;
        struct pool *again;

        done_result = 12345;
        begin(holder, 3, 1);
        pool_prepare(&job, holder, 100 * FIXTURE_PAGE, KIND_TMPFS, true);
        while (done_result == 12345) {
                assert_survives();
                reclaim_step(pool, clock_now());
        }
        ck_assert_int_eq(done_result, 0);
        again = reborn(pool);
        assert_same(pool, again);
        next = pool_claim_holder(again, 1);
        ck_assert(holder_recall(next, 3, 1, &result));
        ck_assert_uint_eq(result.range.start, job.range.start);
        ck_assert_uint_eq(result.range.end, job.range.end);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(an_allocation_that_is_given_up_is_freed)
{
        struct holder *holder = join(1);
        struct pool_job job = {.done = note_done};

        done_result = 12345;
        pool_prepare(&job, holder, 100 * FIXTURE_PAGE, KIND_TMPFS, true);
        reclaim_step(pool, clock_now());
        pool_cancel(&job);
        while (done_result == 12345) {
                reclaim_step(pool, clock_now());
                assert_survives();
        }
        ck_assert_int_eq(done_result, -ECANCELED);
        reclaim_all();
        assert_survives();
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(the_journal_has_room_before_it_is_needed)
{
        const struct journal_area *area = &pool->recorder->journal.areas[0];
        struct holder *holder = join(1);
        uint64_t room = area->room;

        while (!journal_is_low(&pool->recorder->journal)) {
                begin(holder, 0, 0);
                take(holder, 1, KIND_TMPFS);
                ck_assert_int_eq(pool_decref(holder, pages(0, 1)), 0);
                ck_assert_uint_eq(area->room, room);
                ck_assert_int_eq(reclaim_finish(pool, &(struct range){0, FIXTURE_PAGE}, 1), 0);
        }
        reclaim_step(pool, clock_now());
        ck_assert_uint_gt(area->room, room);
        ck_assert(!journal_is_low(&pool->recorder->journal));
        ck_assert(!pool->recorder->low && !pool->recorder->short_of);
        assert_survives();
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resume");
        TCase *single = harness_case(suite, "single", 30);

        tcase_add_checked_fixture(single, reborn_set_up, NULL);
        tcase_add_test(single, what_sessions_hold_survives);
        tcase_add_test(single, what_nobody_claims_is_released_and_given_back);
        tcase_add_test(single, the_first_scan_makes_what_is_committed_exact);
        tcase_add_test(single, results_of_the_last_request_survive);
        tcase_add_test(single, a_decref_in_parts_goes_on_where_it_was);
        tcase_add_test(single, an_allocation_that_is_being_prepared_is_not_there_yet);
        tcase_add_test(single, an_allocation_that_is_given_up_is_freed);
        tcase_add_test(single, the_journal_has_room_before_it_is_needed);
        return harness_run(suite);
}
