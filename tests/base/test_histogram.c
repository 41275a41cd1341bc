// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include "support/harness.h"

/* What <filemem/statistics.h> promises of the limits; there it is a formula of its own. */
static uint64_t limit_of(size_t bucket)
{
        if (bucket < 4)
                return (bucket + 1) * 64;
        return (uint64_t)(5 + (bucket - 4) % 4) << (6 + (bucket - 4) / 4);
}

START_TEST(every_duration_is_in_the_bucket_with_its_limits)
{
        for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
                ck_assert_uint_eq(histogram_bucket(limit_of(i) - 1), i);
                ck_assert_uint_eq(histogram_bucket(limit_of(i)), i + 1);
        }
        ck_assert_uint_eq(histogram_bucket(0), 0);
        ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(a_bucket_is_no_wider_than_a_quarter_of_what_is_in_it)
{
        for (size_t i = 4; i + 1 < HISTOGRAM_BUCKETS; i++) {
                uint64_t low = limit_of(i - 1);

                ck_assert_uint_le(limit_of(i) - low, low / 4);
        }
}
END_TEST

START_TEST(adding_counts_and_sums)
{
        struct histogram histogram = {0};

        histogram_add(&histogram, 10);
        histogram_add(&histogram, 20);
        histogram_add(&histogram, 1000);
        ck_assert_uint_eq(histogram.count, 3);
        ck_assert_uint_eq(histogram.sum, 1030);
        ck_assert_uint_eq(histogram.buckets[0], 2);
        ck_assert_uint_eq(histogram.buckets[histogram_bucket(1000)], 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("histogram");
        TCase *histogram = harness_case(suite, "Histogram", 10);

        tcase_add_test(histogram, every_duration_is_in_the_bucket_with_its_limits);
        tcase_add_test(histogram, a_bucket_is_no_wider_than_a_quarter_of_what_is_in_it);
        tcase_add_test(histogram, adding_counts_and_sums);
        return harness_run(suite);
}
