// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

/* What a pool is and has: questions, which change nothing. */

int pool_fd(const struct pool *pool)
{
        return pool->file.client_fd;
}

int pool_read_only_fd(const struct pool *pool)
{
        return pool->file.read_only_fd;
}

bool pool_verifies(const struct pool *pool)
{
        return pool->zero_verify;
}

void pool_information(struct pool *pool, struct pool_information *ret)
{
        LOCK_SCOPE(&pool->lock);

        *ret = (struct pool_information){
                .name = pool->name,
                .capacity = pool->file.capacity,
                .size = pool->size * pool->file.page_size,
                .page_size = pool->file.page_size,
                .exec = pool->exec,
                .zero_verify = pool->zero_verify,
                .huge_advise = pool->huge_advise,
                .entries = pool->tree.totals.entries,
                .holders = pool->holder_count,
                .metadata = usage_nodes_footprint(&pool->nodes),
                .largest_gap = usage_tree_longest_gap(&pool->tree) * pool->file.page_size,
                .leased = pool->leased * pool->file.page_size,
        };
}

int pool_stored(const struct pool *pool, uint64_t *ret)
{
        struct memfile_state state;
        int r = memfile_stat(&pool->file, &state);

        if (r == 0)
                *ret = state.stored;
        return r;
}

void pool_usage(struct pool *pool, struct pool_usage *ret)
{
        LOCK_SCOPE(&pool->lock);
        const struct usage_totals *totals = &pool->tree.totals;
        uint64_t page_size = pool->file.page_size;

        *ret = (struct pool_usage){
                .reclaimable = totals->freed * page_size,
                .reclaimable_committed = totals->freed_committed * page_size,
                .stray = pool->scan.stray,
                .total = pool->scan.stored,
                .swapped = pool->scan.swapped,
                .scanned_at = pool->scan.at,
                .exact = !pool->tree.root || !(pool->tree.summary.tags & USAGE_ESTIMATED),
        };
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ret->allocated[kind] = totals->pages[kind] * page_size;
                ret->committed[kind] = totals->committed[kind] * page_size;
        }
}

size_t pool_dump(struct pool *pool, uint64_t from, struct pool_entry *entries, size_t length,
        uint64_t *ret_next)
{
        struct usage_cursor cursor;
        struct usage_entry entry;
        size_t count = 0;

        *ret_next = 0;
        if (from >= pool->file.capacity)
                return 0;
        LOCK_SCOPE(&pool->lock);
        usage_cursor_init(&cursor, &pool->tree, pool_page(pool, from));
        while (usage_cursor_next(&cursor, &entry)) {
                if (count == length) {
                        *ret_next = count ? entries[count - 1].range.end : from;
                        break;
                }
                entries[count++] = (struct pool_entry){
                        .range = pool_bytes(pool, entry.start, entry.end),
                        .kind = usage_entry_kind(&entry),
                        .refs = entry.refs,
                        .committed = entry.committed * pool->file.page_size,
                        .estimated = entry.tags & USAGE_ESTIMATED,
                };
        }
        return count;
}
