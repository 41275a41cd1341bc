// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/*
 * The least that a job can cost here and now, with nothing of ours around it. Functions that return
 * int return 0 or a negative errno, and the time in nanoseconds.
 */

/* One reading of the clock: it is in every time of one operation, and is not taken off. */
double floor_clock(void);

/* Locking and unlocking a mutex that nobody else wants: the least of a front door with a lock. */
double floor_lock(void);

/* A memfd of that many bytes. Returns it or a negative errno. */
int floor_file(uint64_t size);

/* Punches [start, end) of a file, at most 128 MiB at once. */
int floor_punch(int fd, uint64_t start, uint64_t end, uint64_t *ret);

/* Punches `count` single pages, every second one from `start` on, one by one. */
int floor_punch_pages(int fd, uint64_t start, uint64_t count, uint64_t *ret);

/* One fstat, and one cachestat(2) of the whole range. -ENOSYS before Linux 6.5. */
int floor_count(int fd, uint64_t start, uint64_t end, uint64_t *ret);

/* mincore(2) of a mapping of the range that is there already: what counts in the peers. */
int floor_mincore(int fd, uint64_t start, uint64_t end, uint64_t *ret);

/*
 * Replaces single pages: each time one is punched and another one, mapped, is written to. For one
 * such pair.
 */
int floor_replace(uint64_t *ret);
