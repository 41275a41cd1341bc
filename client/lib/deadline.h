// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * How long a call may wait: a time of CLOCK_MONOTONIC in nanoseconds. Each thread has a timeout for
 * its calls, see filemem_set_timeout(); without one no clock is read.
 */
#define DEADLINE_NONE UINT64_MAX

/* That of a call of this thread which begins now. */
uint64_t deadline_begin(void);

/* `nanoseconds` from now. */
uint64_t deadline_after(uint64_t nanoseconds);
uint64_t deadline_earlier(uint64_t a, uint64_t b);

bool deadline_is_over(uint64_t deadline);

/* For poll(2): milliseconds, rounded up; -1 for none. */
int deadline_timeout(uint64_t deadline);

struct timespec deadline_timespec(uint64_t deadline);
