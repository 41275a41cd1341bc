// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How large; what is 0 is the scenario's own choice. */
struct scenario_sizes {
        bool quick;    /* only to see that it runs */
        uint64_t n;    /* of what a scenario counts */
        uint64_t size; /* bytes, where a scenario commits memory */
};

/*
 * Each runs once, adds to the report, and leaves nothing behind. Returns 0, or what kept it from
 * running as in base/error.h.
 */
struct scenario {
        const char *name;
        const char *help; /* one line */
        int (*run)(const struct scenario_sizes *sizes, struct report *report);
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

int alloc_seq_run(const struct scenario_sizes *sizes, struct report *report);
int frag_alloc_run(const struct scenario_sizes *sizes, struct report *report);
int churn_run(const struct scenario_sizes *sizes, struct report *report);
int refs_run(const struct scenario_sizes *sizes, struct report *report);
int update_usage_run(const struct scenario_sizes *sizes, struct report *report);
int reclaim_run(const struct scenario_sizes *sizes, struct report *report);
int rpc_pair_run(const struct scenario_sizes *sizes, struct report *report);
int rpc_batch_run(const struct scenario_sizes *sizes, struct report *report);
int rpc_clients_run(const struct scenario_sizes *sizes, struct report *report);
int rpc_scan_run(const struct scenario_sizes *sizes, struct report *report);
int connect_run(const struct scenario_sizes *sizes, struct report *report);
int map_run(const struct scenario_sizes *sizes, struct report *report);
int watchers_run(const struct scenario_sizes *sizes, struct report *report);
int heap_run(const struct scenario_sizes *sizes, struct report *report);
