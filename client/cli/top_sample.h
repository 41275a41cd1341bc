// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/statistics.h>

/* All that the statistics of the daemon say at one moment, sessions and pools by ascending id. */
struct top_sample {
        struct filemem_statistics_totals totals;
        struct filemem_statistics_pool *pools;
        size_t pools_count, pools_room;
        struct filemem_statistics_session *sessions;
        size_t sessions_count, sessions_room;
};

/*
 * Reads it, in the memory that the sample has already, as far as that is enough. Returns 0,
 * -ENOMEM, or -ESTALE if the statistics have ended; then the sample is as good as empty.
 */
int top_sample_read(struct top_sample *sample, const filemem_statistics *statistics);

/* All zeros is an empty one. */
void top_sample_deinit(struct top_sample *sample);
