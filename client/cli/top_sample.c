// SPDX-License-Identifier: Apache-2.0
#include "top_sample.h"

#include <errno.h>
#include <stdlib.h>

/* Makes room for one more. */
static int grow(void **list, size_t *room, size_t count, size_t size)
{
        size_t wanted = *room ? *room * 2 : 64;
        void *more;

        if (count < *room)
                return 0;
        more = reallocarray(*list, wanted, size);
        if (!more)
                return -ENOMEM;
        *list = more;
        *room = wanted;
        return 0;
}

static int read_pools(struct top_sample *sample, const filemem_statistics *statistics)
{
        size_t place = 0;
        int r;

        for (sample->pools_count = 0;; sample->pools_count++) {
                r = grow((void **)&sample->pools, &sample->pools_room, sample->pools_count,
                        sizeof(sample->pools[0]));
                if (r < 0)
                        return r;
                r = filemem_statistics_next_pool(
                        statistics, &place, &sample->pools[sample->pools_count]);
                if (r <= 0)
                        return r;
        }
}

static int read_sessions(struct top_sample *sample, const filemem_statistics *statistics)
{
        size_t place = 0;
        int r;

        for (sample->sessions_count = 0;; sample->sessions_count++) {
                r = grow((void **)&sample->sessions, &sample->sessions_room, sample->sessions_count,
                        sizeof(sample->sessions[0]));
                if (r < 0)
                        return r;
                r = filemem_statistics_next_session(
                        statistics, &place, &sample->sessions[sample->sessions_count]);
                if (r <= 0)
                        return r;
        }
}

static int by_pool_id(const void *a, const void *b)
{
        const struct filemem_statistics_pool *one = a, *other = b;

        return (one->id > other->id) - (one->id < other->id);
}

static int by_session_id(const void *a, const void *b)
{
        const struct filemem_statistics_session *one = a, *other = b;

        return (one->id > other->id) - (one->id < other->id);
}

int top_sample_read(struct top_sample *sample, const filemem_statistics *statistics)
{
        int r = filemem_statistics_totals(statistics, &sample->totals);

        if (r == 0)
                r = read_pools(sample, statistics);
        if (r == 0)
                r = read_sessions(sample, statistics);
        if (r < 0) {
                sample->pools_count = sample->sessions_count = 0;
                return r;
        }
        qsort(sample->pools, sample->pools_count, sizeof(sample->pools[0]), by_pool_id);
        qsort(sample->sessions, sample->sessions_count, sizeof(sample->sessions[0]), by_session_id);
        return 0;
}

void top_sample_deinit(struct top_sample *sample)
{
        free(sample->pools);
        free(sample->sessions);
        *sample = (struct top_sample){0};
}
