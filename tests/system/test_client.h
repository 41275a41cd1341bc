// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <check.h>

/* The parts of the suite that are about several processes and threads, and about system calls. */
void test_client_processes(TCase *tests);
void test_client_filter(TCase *tests);
