// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/scenario.h"

#include <sched.h>
#include <stdbool.h>

/*
 * Where the two sides of a conversation run. To wake another core costs several times what it takes
 * to answer, on a virtual machine ten times as much, so each place gives numbers of its own.
 */
enum pinning {
        PINNING_NONE, /* where the scheduler likes */
        PINNING_ONE_CORE,
        PINNING_TWO_CORES,
        PINNINGS,
};

const char *pinning_name(enum pinning pinning);

/* Two cores need two. */
bool pinning_is_possible(enum pinning pinning);

/* Pins this thread, as the side that asks; and what it starts. `ret` undoes it. */
void pinning_enter(enum pinning pinning, cpu_set_t *ret);
void pinning_leave(const cpu_set_t *before);

/*
 * Runs a scenario in each place. count: of repetitions, where `sizes` has no other; a multiple of
 * `turns` is made of it. Returns 0 or the first error.
 */
int pinning_run_all(const struct scenario_sizes *sizes, struct report *report, uint64_t count,
        uint64_t turns, int (*run)(struct report *report, enum pinning pinning, uint64_t n));

/* Pins this thread as the side that answers: a new process, before it does anything else. */
void pinning_enter_other(enum pinning pinning);
