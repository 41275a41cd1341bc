// SPDX-License-Identifier: Apache-2.0
#include "pools.h"

#include <string.h>

static struct filemem_statistics_pool *find(struct pools *pools, const char *name)
{
        for (size_t i = 0; i < pools->count; i++)
                if (strcmp(pools->list[i].name, name) == 0)
                        return &pools->list[i];
        return NULL;
}

/* The place for pools of that name, new and empty if there was none. */
static struct filemem_statistics_pool *make_place(struct pools *pools, const char *name)
{
        struct filemem_statistics_pool *place = find(pools, name);

        if (place)
                return place;
        if (pools->count == POOLS_MAX - 1 && strcmp(name, POOLS_OTHERS) != 0)
                return make_place(pools, POOLS_OTHERS);
        place = &pools->list[pools->count++];
        memset(place, 0, sizeof(*place));
        strcpy(place->name, name);
        place->exact = 1;
        place->limit = FILEMEM_UNLIMITED;
        return place;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static void add(struct filemem_statistics_pool *sum, const struct filemem_statistics_pool *pool)
{
        sum->capacity += pool->capacity;
        sum->size += pool->size;
        for (int kind = 0; kind < FILEMEM_STATISTICS_KINDS; kind++) {
                sum->allocated[kind] += pool->allocated[kind];
                sum->committed[kind] += pool->committed[kind];
        }
        sum->reclaimable += pool->reclaimable;
        sum->reclaimable_committed += pool->reclaimable_committed;
        sum->stray += pool->stray;
        sum->stored += pool->stored;
        sum->swapped += pool->swapped;
        sum->entries += pool->entries;
        sum->sessions += pool->sessions;
        sum->metadata += pool->metadata;
        sum->largest_gap = greater(sum->largest_gap, pool->largest_gap);
        sum->limit = lesser(sum->limit, pool->limit);
        sum->exact &= pool->exact;
        /* The oldest scan, if each had one. */
        sum->scanned_at = sum->id ? lesser(sum->scanned_at, pool->scanned_at) : pool->scanned_at;
        sum->id = greater(sum->id, pool->id);
}

int pools_gather(const filemem_statistics *statistics, struct pools *ret)
{
        struct filemem_statistics_pool pool;
        size_t place = 0;
        int r;

        ret->count = 0;
        while ((r = filemem_statistics_next_pool(statistics, &place, &pool)) > 0)
                add(make_place(ret, pool.private_pool ? POOLS_PRIVATE : pool.name), &pool);
        return r;
}
