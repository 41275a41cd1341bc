// SPDX-License-Identifier: Apache-2.0
#include "proto/busy_poll.h"

#include "support/harness.h"

static struct busy_poll state;

static void set_up(void)
{
        state = (struct busy_poll){0};
}

static void learn(bool found, unsigned times)
{
        while (times--)
                busy_poll_learn(&state, found);
}

START_TEST(nobody_polls_before_a_trial_has_found_something)
{
        ck_assert(!busy_poll_is_worth_it(&state, false));
        ck_assert(busy_poll_is_worth_it(&state, true));
        learn(false, 1);
        ck_assert(!busy_poll_is_worth_it(&state, false));
        learn(true, 1);
        ck_assert(busy_poll_is_worth_it(&state, false));
}
END_TEST

START_TEST(one_that_was_late_does_not_end_what_has_paid_for_long)
{
        learn(true, 100);
        learn(false, 1);
        ck_assert(busy_poll_is_worth_it(&state, false));
        ck_assert(state.is_late);
        learn(true, 1);
        ck_assert(!state.is_late);
}
END_TEST

START_TEST(four_in_a_row_that_found_nothing_are_the_end)
{
        learn(true, 100000);
        learn(false, 3);
        ck_assert(busy_poll_is_worth_it(&state, false));
        learn(false, 1);
        ck_assert(!busy_poll_is_worth_it(&state, false));
}
END_TEST

/* The long moment after a short one may find what the short ones never will. */
START_TEST(what_only_a_longer_moment_finds_earns_nothing)
{
        learn(true, 100);
        for (unsigned i = 0; i < 4; i++) {
                ck_assert(busy_poll_is_worth_it(&state, false));
                learn(false, 1);
                if (state.credit)
                        learn(true, 1);
        }
        ck_assert(!busy_poll_is_worth_it(&state, false));
}
END_TEST

START_TEST(both_ends_try_it_with_the_same_few_requests)
{
        unsigned trials = 0;

        for (uint64_t id = 0; id < (uint64_t)BUSY_POLL_TRIAL_EVERY * 1000; id++)
                trials += busy_poll_is_trial(id);
        ck_assert_uint_eq(trials, BUSY_POLL_TRIALS * 1000u);
        /* in a row, so that who waits for every second reply alone is at some of them too */
        ck_assert(busy_poll_is_trial(BUSY_POLL_TRIAL_EVERY));
        ck_assert(busy_poll_is_trial(BUSY_POLL_TRIAL_EVERY + 1));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("busy_poll");
        TCase *tests = harness_case(suite, "busy_poll", 10);

        tcase_add_checked_fixture(tests, set_up, NULL);
        tcase_add_test(tests, nobody_polls_before_a_trial_has_found_something);
        tcase_add_test(tests, one_that_was_late_does_not_end_what_has_paid_for_long);
        tcase_add_test(tests, four_in_a_row_that_found_nothing_are_the_end);
        tcase_add_test(tests, what_only_a_longer_moment_finds_earns_nothing);
        tcase_add_test(tests, both_ends_try_it_with_the_same_few_requests);
        return harness_run(suite);
}
