// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

const struct scenario scenarios[] = {
        {"alloc_seq", "n one-page allocations in a row, then all released", alloc_seq_run},
        {"frag_alloc", "allocate where only holes of one page are free", frag_alloc_run},
        {"churn", "replace one of many allocations of 1 to 64 pages, over and over", churn_run},
        {"refs", "take and drop references on parts of one large allocation", refs_run},
        {"update_usage", "count the pages that another process has touched", update_usage_run},
        {"reclaim", "give memory back to the kernel that nobody holds any more", reclaim_run},
#ifdef FILEMEM_HEAP
        {"heap", "free and allocate objects of mixed sizes in a heap", heap_run},
#endif
};

const size_t scenario_count = sizeof(scenarios) / sizeof(*scenarios);
