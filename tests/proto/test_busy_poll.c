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
        ck_assert(!busy_poll_is_worth_it(&state, 0));
        ck_assert(busy_poll_is_worth_it(&state, 1));
        learn(false, 1);
        ck_assert(!busy_poll_is_worth_it(&state, 0));
        learn(true, 1);
        ck_assert(busy_poll_is_worth_it(&state, 0));
}
END_TEST

START_TEST(one_that_was_late_does_not_end_what_has_paid_for_long)
{
        learn(true, 100);
        learn(false, 1);
        ck_assert(busy_poll_is_worth_it(&state, 0));
        ck_assert(state.is_late);
        learn(true, 1);
        ck_assert(!state.is_late);
}
END_TEST

START_TEST(four_in_a_row_that_found_nothing_are_the_end)
{
        learn(true, 100000);
        learn(false, 3);
        ck_assert(busy_poll_is_worth_it(&state, 0));
        learn(false, 1);
        ck_assert(!busy_poll_is_worth_it(&state, 0));
}
END_TEST

/* The long moment after a short one may find what the short ones never will. */
START_TEST(what_only_a_longer_moment_finds_earns_nothing)
{
        learn(true, 100);
        for (unsigned i = 0; i < 4; i++) {
                ck_assert(busy_poll_is_worth_it(&state, 0));
                learn(false, 1);
                if (state.credit)
                        learn(true, 1);
        }
        ck_assert(!busy_poll_is_worth_it(&state, 0));
}
END_TEST

/* Numbers of requests that are tried with, of the first so many, after so many failures. */
static unsigned count_trials(unsigned requests, unsigned failures)
{
        unsigned trials = 0;

        set_up();
        learn(false, failures);
        for (unsigned id = 0; id < requests; id++)
                trials += busy_poll_is_worth_it(&state, busy_poll_rank(id));
        return trials;
}

START_TEST(who_finds_nothing_tries_it_half_as_often_up_to_an_end)
{
        for (unsigned failures = 0; failures < BUSY_POLL_RANKS; failures++)
                ck_assert_uint_eq(count_trials(1 << 16, failures),
                        (1u << 16) / BUSY_POLL_MOST_OFTEN * BUSY_POLL_TRIALS >> failures);
        ck_assert_uint_eq(count_trials(1 << 16, 1000), count_trials(1 << 16, BUSY_POLL_RANKS - 1));
}
END_TEST

START_TEST(what_one_end_tries_the_other_one_tries_or_more)
{
        struct busy_poll seldom = {.failures = BUSY_POLL_RANKS - 1};

        for (uint64_t id = 0; id < 1 << 16; id++)
                if (busy_poll_is_trial(&seldom, busy_poll_rank(id)))
                        ck_assert(busy_poll_is_trial(&state, busy_poll_rank(id)));
        /* in a row, so that who waits for every second reply alone is at some of them too */
        ck_assert(busy_poll_is_trial(&seldom, busy_poll_rank(1 << 16)));
        ck_assert(busy_poll_is_trial(&seldom, busy_poll_rank((1 << 16) + 1)));
}
END_TEST

START_TEST(what_pays_for_long_is_tried_often_again)
{
        learn(false, 1000);
        ck_assert(!busy_poll_is_worth_it(&state, 1));
        learn(true, BUSY_POLL_CREDIT_MAX + 1);
        learn(false, 4);
        ck_assert_uint_eq(state.credit, 0);
        ck_assert(busy_poll_is_worth_it(&state, 1));
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
        tcase_add_test(tests, who_finds_nothing_tries_it_half_as_often_up_to_an_end);
        tcase_add_test(tests, what_one_end_tries_the_other_one_tries_or_more);
        tcase_add_test(tests, what_pays_for_long_is_tried_often_again);
        return harness_run(suite);
}
