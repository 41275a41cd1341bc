// SPDX-License-Identifier: Apache-2.0
#include "bench/pinning.h"

static const char *const names[] = {
        [PINNING_NONE] = "unpinned",
        [PINNING_ONE_CORE] = "one_core",
        [PINNING_TWO_CORES] = "two_cores",
};

/* What this process may run on, before anything is pinned. */
static const cpu_set_t *allowed(void)
{
        static cpu_set_t set;

        if (CPU_COUNT(&set) == 0)
                sched_getaffinity(0, sizeof(set), &set);
        return &set;
}

/* The n-th of the cores that it may run on. */
static void pin(int n)
{
        cpu_set_t one;

        CPU_ZERO(&one);
        for (size_t core = 0; core < CPU_SETSIZE; core++)
                if (CPU_ISSET(core, allowed()) && n-- == 0)
                        CPU_SET(core, &one);
        sched_setaffinity(0, sizeof(one), &one);
}

const char *pinning_name(enum pinning pinning)
{
        return names[pinning];
}

bool pinning_is_possible(enum pinning pinning)
{
        return pinning != PINNING_TWO_CORES || CPU_COUNT(allowed()) > 1;
}

void pinning_enter(enum pinning pinning, cpu_set_t *ret)
{
        *ret = *allowed();
        if (pinning != PINNING_NONE)
                pin(0);
}

void pinning_leave(const cpu_set_t *before)
{
        sched_setaffinity(0, sizeof(*before), before);
}

void pinning_enter_other(enum pinning pinning)
{
        if (pinning == PINNING_NONE)
                pinning_leave(allowed());
        else
                pin(pinning == PINNING_TWO_CORES);
}

int pinning_run_all(const struct scenario_sizes *sizes, struct report *report, uint64_t count,
        uint64_t turns, int (*run)(struct report *report, enum pinning pinning, uint64_t n))
{
        uint64_t n = sizes->n ? sizes->n : sizes->quick ? 5 * turns : count;
        int r = 0;

        n = n < turns ? turns : n / turns * turns;
        for (enum pinning pinning = 0; r == 0 && pinning < PINNINGS; pinning++) {
                cpu_set_t before;

                if (!pinning_is_possible(pinning))
                        continue;
                pinning_enter(pinning, &before);
                r = run(report, pinning, n);
                pinning_leave(&before);
        }
        return r;
}
