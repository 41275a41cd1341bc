// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <check.h>

/* The socket of the daemon that runs for a test. */
const char *test_client_socket(void);

/* The part of the suite that is about system calls. */
void test_client_filter(TCase *tests);
