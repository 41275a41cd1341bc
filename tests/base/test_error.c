// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

START_TEST(every_outcome_has_an_errno_and_a_sentence)
{
        for (int outcome = 1; outcome < OUTCOME_COUNT; outcome++) {
                ck_assert_int_gt(error_status(outcome), 0);
                ck_assert_uint_ge(strlen(error_text(outcome)), 10);
                ck_assert_uint_le(strlen(error_text(outcome)), 120); /* WIRE_TEXT_MAX */
                ck_assert_ptr_null(strchr(error_text(outcome), '\n'));
        }
}
END_TEST

START_TEST(no_two_outcomes_say_the_same)
{
        for (int a = 1; a < OUTCOME_COUNT; a++)
                for (int b = a + 1; b < OUTCOME_COUNT; b++)
                        ck_assert_str_ne(error_text(a), error_text(b));
}
END_TEST

START_TEST(unexpected_errors_become_eio_but_enomem)
{
        ck_assert_int_eq(error_status(0), 0);
        ck_assert_str_eq(error_text(0), "");
        ck_assert_int_eq(error_status(-ENOMEM), ENOMEM);
        ck_assert_int_eq(error_status(-ENOSPC), EIO);
        ck_assert_str_eq(error_text(-ENOSPC), "No space left on device");
        ck_assert_str_eq(error_text(-99999), "unknown error");
}
END_TEST

START_TEST(a_result_that_is_no_outcome_is_a_broken_invariant)
{
        error_status(OUTCOME_COUNT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("error");
        TCase *core = harness_case(suite, "core", 5);
        TCase *limits = harness_case(suite, "limits", 5);

        tcase_add_test(core, every_outcome_has_an_errno_and_a_sentence);
        tcase_add_test(core, no_two_outcomes_say_the_same);
        tcase_add_test(core, unexpected_errors_become_eio_but_enomem);
        tcase_add_test_raise_signal(
                limits, a_result_that_is_no_outcome_is_a_broken_invariant, SIGABRT);
        return harness_run(suite);
}
