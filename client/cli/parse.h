// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>
#include <stdint.h>

/*
 * What people write for numbers. Each returns NULL and *ret, or a sentence about what it has to be;
 * ret may be NULL.
 */

/* "4096", "0x1000", "4K", "1.5M": powers of 1024. */
const char *parse_size(const char *text, uint64_t *ret);

/* "30", "30s", "500ms", "5m", "1.5h", "2d"; a number alone is seconds. In ns. */
const char *parse_time(const char *text, uint64_t *ret);

/* A whole number that is not 0. */
const char *parse_count(const char *text, uint64_t *ret);

/* "START-END", "START+LENGTH", or "START" alone for the page that begins there; sizes. */
const char *parse_range(const char *text, struct filemem_range *ret);
