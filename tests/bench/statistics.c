// SPDX-License-Identifier: Apache-2.0
#include "bench/statistics.h"

#include <stdlib.h>

static int compare_values(const void *one, const void *other)
{
        double a = *(const double *)one, b = *(const double *)other;

        return (a > b) - (a < b);
}

static int compare_times(const void *one, const void *other)
{
        uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

        return (a > b) - (a < b);
}

double statistics_median(double *values, size_t count)
{
        qsort(values, count, sizeof(*values), compare_values);
        return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double statistics_minimum(const double *values, size_t count)
{
        double minimum = values[0];

        for (size_t i = 1; i < count; i++)
                if (values[i] < minimum)
                        minimum = values[i];
        return minimum;
}

uint32_t statistics_percentile(uint32_t *times, size_t count, unsigned percent)
{
        qsort(times, count, sizeof(*times), compare_times);
        return times[(count * percent + 99) / 100 - 1];
}
