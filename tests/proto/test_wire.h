// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <check.h>

/* The half of the suite that is about the sizes of replies. */
void test_wire_bounds(TCase *tests);
