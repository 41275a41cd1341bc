// SPDX-License-Identifier: Apache-2.0
#include "server/publish_parts.h"

#include "server/state.h"

#include <string.h>

/* What one turn writes at the most, of all views together. */
#define TURN_POOLS 128

_Static_assert(
        (int)FILEMEM_KINDS == (int)KIND_COUNT && KIND_COUNT <= FILEMEM_STATISTICS_KINDS, "kinds");
_Static_assert((int)SERVED_DESTROYED == (int)FILEMEM_POOL_DESTROYED, "states");

static bool sees_pool(const struct view *view, const struct served *served)
{
        return view->all || served_may_ask(served, &view->identity) ||
               (served->is_private && identity_is_same(view->identity.uid, served->uid));
}

static void describe_usage(const struct pool_usage *usage, struct filemem_statistics_pool *ret)
{
        for (int kind = 0; kind < KIND_COUNT; kind++) {
                ret->allocated[kind] = usage->allocated[kind];
                ret->committed[kind] = usage->committed[kind];
        }
        ret->reclaimable = usage->reclaimable;
        ret->reclaimable_committed = usage->reclaimable_committed;
        ret->stray = usage->stray;
        ret->stored = usage->total;
        ret->swapped = usage->swapped;
        ret->scanned_at = usage->scanned_at;
        ret->exact = usage->exact;
}

static void describe_pool(const struct served *served, struct filemem_statistics_pool *ret)
{
        struct pool_information pool;
        struct pool_usage usage;

        pool_information(served->pool, &pool);
        pool_usage(served->pool, &usage);
        *ret = (struct filemem_statistics_pool){
                .id = served->id,
                .state = served->state,
                .private_pool = served->is_private,
                .uid = served->is_private ? served->uid : 0,
                .capacity = pool.capacity,
                .size = pool.size,
                .entries = pool.entries,
                .sessions = served->sessions,
                .metadata = pool.metadata,
                .largest_gap = pool.largest_gap,
                .limit = served->account->set->maximum[LIMIT_COMMITTED],
        };
        strcpy(ret->name, pool.name);
        describe_usage(&usage, ret);
        /* Where the kernel does not say, what it said last stays. */
        (void)pool_stored(served->pool, &ret->stored);
}

static void add_pool(
        struct filemem_statistics_totals *sum, const struct filemem_statistics_pool *pool)
{
        sum->capacity += pool->capacity;
        sum->size += pool->size;
        for (int kind = 0; kind < KIND_COUNT; kind++) {
                sum->allocated[kind] += pool->allocated[kind];
                sum->committed[kind] += pool->committed[kind];
        }
        sum->reclaimable += pool->reclaimable;
        sum->reclaimable_committed += pool->reclaimable_committed;
        sum->stray += pool->stray;
        sum->stored += pool->stored;
        sum->swapped += pool->swapped;
        sum->entries += pool->entries;
        sum->metadata += pool->metadata;
}

static void publish_pool(struct server *server, struct view *only, size_t place,
        struct filemem_statistics_totals *sum)
{
        const struct served *served = server->pools.places.items[place];
        struct filemem_statistics_pool record;
        struct view *view;

        if (served) {
                describe_pool(served, &record);
                add_pool(sum, &record);
        }
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        publish_record(view, PAGE_POOLS, place,
                                served && sees_pool(view, served) ? &record : NULL);
}

void publish_all_pools(struct server *server, struct view *only)
{
        struct views *views = &server->views;

        views->sums = (struct filemem_statistics_totals){0};
        for (size_t i = 0; i < server->pools.places.allocated; i++)
                publish_pool(server, only, i, &views->sums);
}

void publish_some_pools(struct server *server)
{
        size_t count = server->pools.places.allocated;
        struct views *views = &server->views;

        for (size_t i = 0; i < TURN_POOLS; i++) {
                if (views->next_pool >= count) {
                        views->sums = views->sum;
                        views->sum = (struct filemem_statistics_totals){0};
                        views->next_pool = 0;
                        return;
                }
                publish_pool(server, NULL, views->next_pool++, &views->sum);
        }
}
