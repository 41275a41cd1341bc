// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "base/error.h"
#include "usage/range.h"

#define PAGE     UINT64_C(4096)
#define CAPACITY (UINT64_C(1) << 30)

static const struct {
        struct range range;
        int expected;
} ranges[] = {
        {{0, PAGE}, 0},
        {{0, CAPACITY}, 0},
        {{CAPACITY - PAGE, CAPACITY}, 0},
        {{0, 0}, OUTCOME_RANGE_EMPTY},
        {{PAGE, PAGE}, OUTCOME_RANGE_EMPTY},
        {{2 * PAGE, PAGE}, OUTCOME_RANGE_EMPTY},
        {{UINT64_MAX, 0}, OUTCOME_RANGE_EMPTY},
        {{UINT64_MAX, UINT64_MAX}, OUTCOME_RANGE_EMPTY},
        {{1, PAGE}, OUTCOME_RANGE_UNALIGNED},
        {{0, PAGE + 1}, OUTCOME_RANGE_UNALIGNED},
        {{0, UINT64_MAX}, OUTCOME_RANGE_UNALIGNED},
        {{0, CAPACITY + PAGE}, OUTCOME_RANGE_BEYOND},
        {{CAPACITY, CAPACITY + PAGE}, OUTCOME_RANGE_BEYOND},
        {{UINT64_C(1) << 63, (UINT64_C(1) << 63) + PAGE}, OUTCOME_RANGE_BEYOND},
        {{0, UINT64_C(1) << 63}, OUTCOME_RANGE_BEYOND},
        {{0, -PAGE}, OUTCOME_RANGE_BEYOND},
        {{-(2 * PAGE), -PAGE}, OUTCOME_RANGE_BEYOND},
};

static const struct {
        uint64_t length;
        int expected;
} lengths[] = {
        {PAGE, 0},
        {CAPACITY, 0},
        {0, OUTCOME_LENGTH_ZERO},
        {1, OUTCOME_LENGTH_UNALIGNED},
        {UINT64_MAX, OUTCOME_LENGTH_UNALIGNED},
        {CAPACITY + PAGE, OUTCOME_POOL_FULL},
        {UINT64_C(1) << 63, OUTCOME_POOL_FULL},
        {-PAGE, OUTCOME_POOL_FULL},
};

START_TEST(a_range_is_checked_at_every_edge)
{
        ck_assert_int_eq(range_check(ranges[_i].range, CAPACITY, PAGE), ranges[_i].expected);
}
END_TEST

START_TEST(a_length_is_checked_at_every_edge)
{
        ck_assert_int_eq(
                range_check_length(lengths[_i].length, CAPACITY, PAGE), lengths[_i].expected);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("range");
        TCase *limits = harness_case(suite, "limits", 5);

        tcase_add_loop_test(
                limits, a_range_is_checked_at_every_edge, 0, sizeof(ranges) / sizeof(ranges[0]));
        tcase_add_loop_test(
                limits, a_length_is_checked_at_every_edge, 0, sizeof(lengths) / sizeof(lengths[0]));
        return harness_run(suite);
}
