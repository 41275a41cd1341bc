// SPDX-License-Identifier: Apache-2.0
#pragma once

/* A test that compares nothing is no test: assertions are on whatever the build says. */
#undef NDEBUG
#include <assert.h>
#include <check.h>
#include <stddef.h>

/*
 * A test case whose every test starts and ends with the same number of open file descriptors, and
 * fails if not. timeout: seconds for one test; it is multiplied under sanitizers and valgrind.
 */
TCase *harness_case(Suite *suite, const char *name, unsigned timeout);

/* Runs the suite and frees it. Returns the exit code for main(). */
int harness_run(Suite *suite);

/* Open file descriptors of this process. */
size_t harness_count_fds(void);

/* How much less to do where every step is slow: 1, or more under sanitizers. */
unsigned harness_slowness(void);

/* A new empty folder in $TMPDIR or /tmp, removed with all that is in it by harness_remove_folder().
 */
const char *harness_make_folder(void);
void harness_remove_folder(const char *folder);
