// SPDX-License-Identifier: Apache-2.0
#include "human.h"

#include "support/harness.h"

START_TEST(sizes_have_three_digits_at_most)
{
        char text[HUMAN_MAX];

        ck_assert_str_eq(human_size(0, text), "0B");
        ck_assert_str_eq(human_size(1, text), "1B");
        ck_assert_str_eq(human_size(1023, text), "1023B");
        ck_assert_str_eq(human_size(1024, text), "1K");
        ck_assert_str_eq(human_size(1536, text), "1.5K");
        ck_assert_str_eq(human_size(3 << 19, text), "1.5M");
        ck_assert_str_eq(human_size(UINT64_C(300) << 20, text), "300M");
        ck_assert_str_eq(human_size(UINT64_C(64) << 30, text), "64G");
        ck_assert_str_eq(human_size((UINT64_C(1) << 40) - 1, text), "1023G");
        ck_assert_str_eq(human_size(UINT64_MAX, text), "15E");
}
END_TEST

START_TEST(times_have_the_unit_that_fits)
{
        char text[HUMAN_MAX];

        ck_assert_str_eq(human_time(0, text), "0ns");
        ck_assert_str_eq(human_time(999, text), "999ns");
        ck_assert_str_eq(human_time(35000, text), "35us");
        ck_assert_str_eq(human_time(1500000, text), "1.5ms");
        ck_assert_str_eq(human_time(2000000000, text), "2s");
        ck_assert_str_eq(human_time(UINT64_C(61) * 1000000000, text), "1m1s");
        ck_assert_str_eq(human_time(UINT64_C(3661) * 1000000000, text), "1h1m");
        ck_assert_str_eq(human_time(UINT64_C(90000) * 1000000000, text), "1d1h");
        ck_assert_str_eq(human_time(UINT64_MAX, text), "213503d23h");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("human");
        TCase *tests = harness_case(suite, "human", 5);

        tcase_add_test(tests, sizes_have_three_digits_at_most);
        tcase_add_test(tests, times_have_the_unit_that_fits);
        return harness_run(suite);
}
