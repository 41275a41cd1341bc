// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

const struct scenario scenarios[] = {
        {"alloc_seq", "n one-page allocations in a row, then all released", alloc_seq_run},
        {"frag_alloc", "allocate where only holes of one page are free", frag_alloc_run},
        {"churn", "replace one of many allocations of 1 to 64 pages, over and over", churn_run},
        {"refs", "take and drop references on parts of one large allocation", refs_run},
        {"update_usage", "count the pages that another process has touched", update_usage_run},
        {"reclaim", "give memory back to the kernel that nobody holds any more", reclaim_run},
        {"rpc_pair", "allocate a page from the daemon and release it", rpc_pair_run},
        {"rpc_batch", "the same 64 at a time, with a queue", rpc_batch_run},
        {"rpc_clients", "many sessions, a few of which allocate", rpc_clients_run},
        {"rpc_scan", "allocate while another process has usage counted", rpc_scan_run},
        {"connect", "open a session and close it", connect_run},
        {"map", "the address of a range, without a message", map_run},
        {"watchers", "allocate while ten processes read the statistics", watchers_run},
#ifdef FILEMEM_HEAP
        {"heap", "free and allocate objects of mixed sizes in a heap", heap_run},
#endif
};

const size_t scenario_count = sizeof(scenarios) / sizeof(*scenarios);
