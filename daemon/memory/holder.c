// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* Entries of the pool's tree that are changed under one hold of its lock when a session ends. */
#define RELEASE_ENTRIES 256

int holder_new(struct pool *pool, struct holder **ret)
{
        struct holder *holder = malloc(sizeof(*holder));

        if (!holder)
                return -ENOMEM;
        holder->pool = pool;
        LOCK_SCOPE(&pool->lock);
        usage_tree_init(&holder->holdings, &pool->nodes, pool->tree.capacity, 1);
        LIST_INSERT_HEAD(&pool->holders, holder, link);
        pool->holder_count++;
        *ret = holder;
        return 0;
}

struct holder *holder_free(struct holder *holder)
{
        struct pool *pool;

        if (!holder)
                return NULL;
        pool = holder->pool;
        LOCK_SCOPE(&pool->lock);
        LIST_REMOVE(holder, link);
        LIST_INSERT_HEAD(&pool->orphans, holder, link);
        pool->holder_count--;
        /* Most hold little: that is released here and now, the rest on the reclaim thread, which
         * also tries again if there was no memory for it. */
        holder_release_some(holder);
        if (!LIST_EMPTY(&pool->orphans))
                reclaim_wake(pool, false);
        return NULL;
}

void holder_information(struct holder *holder, struct holder_information *ret)
{
        struct pool *pool = holder->pool;
        LOCK_SCOPE(&pool->lock);

        ret->held = holder->holdings.totals.pages[KIND_SYSTEM] * pool->file.page_size;
        ret->holdings = holder->holdings.totals.entries;
}

bool holder_covers(const struct holder *holder, uint32_t start, uint32_t end)
{
        struct usage_cursor cursor;
        struct usage_entry entry;

        usage_cursor_init(&cursor, &holder->holdings, start);
        while (start < end) {
                if (!usage_cursor_next(&cursor, &entry) || entry.start > start)
                        return false;
                start = entry.end;
        }
        return true;
}

bool holder_shares(const struct holder *holder, uint32_t start, uint32_t end)
{
        struct usage_cursor cursors[2];
        struct usage_entry all, own;

        usage_cursor_init(&cursors[0], &holder->pool->tree, start);
        usage_cursor_init(&cursors[1], &holder->holdings, start);
        all.end = own.end = start;
        while (start < end) {
                if (all.end == start)
                        check(usage_cursor_next(&cursors[0], &all));
                if (own.end == start)
                        check(usage_cursor_next(&cursors[1], &own));
                if (all.refs > own.refs)
                        return true;
                start = all.end < own.end ? all.end : own.end;
        }
        return false;
}

static bool change_drop(struct usage_entry *entry, void *argument)
{
        uint32_t refs = *(uint32_t *)argument;

        check(entry->refs >= refs);
        entry->refs -= refs;
        return entry->refs > 0;
}

/* In the pool's tree what has no reference left stays, freed, of kind System. */
static bool change_drop_shared(struct usage_entry *entry, void *argument)
{
        if (!change_drop(entry, argument))
                entry->tags &= (uint8_t)~USAGE_KIND_MASK;
        return true;
}

int holder_drop(struct holder *holder, uint32_t start, uint32_t end, uint32_t refs)
{
        struct pool *pool = holder->pool;
        int r = usage_nodes_reserve(
                &pool->nodes, usage_tree_need(&pool->tree) + usage_tree_need(&holder->holdings));

        lock_assert_held(&pool->lock);
        if (r < 0)
                return r;
        usage_tree_change(&pool->tree, start, end, change_drop_shared, &refs);
        usage_tree_change(&holder->holdings, start, end, change_drop, &refs);
        if (pool->tree.totals.freed)
                reclaim_wake(pool, false);
        return 0;
}

/* Where a run of at most `count` entries of the pool's tree ends. */
static uint32_t bounded_end(const struct pool *pool, uint32_t start, uint32_t end, unsigned *count)
{
        struct usage_cursor cursor;
        struct usage_entry entry = {.end = start};

        usage_cursor_init(&cursor, &pool->tree, start);
        while (*count && entry.end < end && usage_cursor_next(&cursor, &entry))
                (*count)--;
        return entry.end < end ? entry.end : end;
}

int holder_release_some(struct holder *holder)
{
        struct pool *pool = holder->pool;
        unsigned left = RELEASE_ENTRIES;
        struct usage_entry entry;

        lock_assert_held(&pool->lock);
        while (left && usage_tree_find(&holder->holdings, 0, &entry)) {
                uint32_t end = bounded_end(pool, entry.start, entry.end, &left);
                int r = holder_drop(holder, entry.start, end, entry.refs);

                if (r < 0)
                        return r;
        }
        if (holder->holdings.root)
                return 0;
        LIST_REMOVE(holder, link);
        free(holder);
        return 0;
}
