// SPDX-License-Identifier: Apache-2.0
#include "test_hostile.h"

void add_hostile_death_tests(Suite *suite)
{
        (void)suite;
}
