// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

/*
 * Has the kernel store all pages of a mapping that may be written, and put them into the page
 * tables. Returns 0, -ENOSYS before Linux 5.14, -ENOMEM, or another negative errno, with the
 * sentence for it; pages that were committed before a failure stay so.
 */
int populate(void *address, size_t length, const char **ret_sentence);
