// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What the last scan of a pool found; bytes. */
struct scan_result {
        uint64_t at;      /* clock_now(); 0: never */
        uint64_t stored;  /* all that the kernel stores for the file */
        uint64_t stray;   /* of it, outside every entry */
        uint64_t swapped; /* of it, in swap */
        int64_t changed;  /* ctime of the file before the scan began */
        bool whole;       /* every count was written back */
};

/*
 * How much the scan thread may work: 1/8 of the time that passes, of which a burst of 100 ms may be
 * saved up. So one who asks now and then always gets fresh numbers, and one who polls cannot take
 * more than 1/8 of a core.
 */
struct scan_budget {
        uint64_t since; /* the time up to which credit was given */
        int64_t credit; /* ns */
};

/* Whether there is credit for a scan at `now` (ns). */
bool scan_budget_allows(struct scan_budget *budget, uint64_t now);

/* A scan took that long (ns). May go below zero: that is paid back before the next one. */
void scan_budget_spend(struct scan_budget *budget, uint64_t spent);
