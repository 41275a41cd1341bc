// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/*
 * This process, and what it starts, on an older kernel: a system call, or one use of it, fails as
 * if the kernel did not know it. For ever, so in a test that is a process of its own. Errors fail
 * the test.
 */
#define OLD_KERNEL_WHOLE_CALL (-1)

/*
 * number: of the system call. argument: the index of the argument that tells, of which all bits of
 * `bits` are set, or OLD_KERNEL_WHOLE_CALL. error: what it fails with.
 */
void old_kernel_without(int number, int argument, uint64_t bits, int error);
