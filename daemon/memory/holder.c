// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* Entries of the pool's tree that are changed under one hold of its lock when a session ends. */
#define RELEASE_ENTRIES 256

struct holder *holder_make(struct pool *pool, uint64_t session)
{
        struct holder *holder = calloc(1, sizeof(*holder));

        if (!holder)
                return NULL;
        holder->pool = pool;
        holder->room.pages = holder->room.entries = holder->room.cut_entries = UINT64_MAX;
        holder->results.session = session;
        usage_tree_init(&holder->holdings, &pool->nodes, pool->tree.capacity, 1);
        LIST_INSERT_HEAD(&pool->holders, holder, link);
        pool->holder_count++;
        return holder;
}

void holder_discard(struct holder *holder)
{
        results_free(&holder->results);
        LIST_REMOVE(holder, link);
        free(holder);
}

int holder_new_for(struct pool *pool, uint64_t session, struct holder **ret)
{
        LOCK_SCOPE(&pool->lock);
        struct holder *holder = holder_make(pool, session);
        int r = holder ? 0 : -ENOMEM;

        if (r == 0 && pool->recorder)
                r = record_join(holder);
        if (r == 0) {
                *ret = holder;
                return 0;
        }
        if (holder) {
                pool->holder_count--;
                holder_discard(holder);
        }
        return r;
}

int holder_new(struct pool *pool, struct holder **ret)
{
        return holder_new_for(pool, 0, ret);
}

void holder_information(struct holder *holder, struct holder_information *ret)
{
        struct pool *pool = holder->pool;
        LOCK_SCOPE(&pool->lock);
        const struct usage_tree *tree = holder_tree(holder);

        ret->held = usage_tree_pages(tree) * pool->file.page_size;
        ret->holdings = tree->totals.entries;
}

/* ---- the sole one ------------------------------------------------------------------------------
 */

static bool pool_is_held(const struct pool *pool)
{
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                if (pool->tree.totals.pages[kind])
                        return true;
        return false;
}

int holder_settle(struct holder *holder)
{
        struct pool *pool = holder->pool;
        int r;

        if (!pool_is_held(pool)) {
                pool->sole = holder;
                return 0;
        }
        if (!pool->sole)
                return 0;
        r = usage_nodes_reserve(&pool->nodes, usage_tree_copy_need(&pool->tree));
        if (r == 0) {
                usage_tree_copy_held(&pool->sole->holdings, &pool->tree);
                pool->sole = NULL;
        }
        usage_nodes_trim(&pool->nodes);
        return r;
}

bool holder_shares(struct holder *holder, uint32_t start, uint32_t end)
{
        struct usage_cursor cursors[2];
        struct usage_entry all, own;

        if (holder->pool->sole == holder)
                return false;
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

/* ---- letting go --------------------------------------------------------------------------------
 */

int holder_drop(
        struct holder *holder, struct usage_path *path, uint32_t start, uint32_t end, uint32_t refs)
{
        struct pool *pool = holder->pool;
        bool sole = pool->sole == holder;
        int r = usage_nodes_reserve(
                &pool->nodes, usage_tree_need(&pool->tree) + holder_need(holder));

        lock_assert_held(&pool->lock);
        if (r < 0)
                return r;
        usage_tree_decref(&pool->tree, sole ? path : NULL, start, end, refs);
        if (!sole)
                usage_tree_decrease(&holder->holdings, path, start, end, refs);
        if (pool->recorder) {
                if (refs == REFS_PREPARING)
                        record_keep(pool, start, end, KIND_SYSTEM);
                else
                        record_decref(holder, start, end, refs);
        }
        if (pool->tree.totals.freed && !pool->woken) {
                pool->woken = true;
                reclaim_wake(pool, false);
        }
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

/* The lowest that an orphan still holds. */
static bool next_held(struct holder *holder, struct usage_entry *ret)
{
        struct usage_cursor cursor;

        usage_cursor_init(&cursor, holder_tree(holder), holder->released);
        while (usage_cursor_next(&cursor, ret))
                if (ret->refs)
                        return true;
        return false;
}

/* What holder_release_some() does. *ret_all: the holder is gone with that. */
static int release_some(struct holder *holder, bool *ret_all)
{
        struct pool *pool = holder->pool;
        unsigned left = RELEASE_ENTRIES;
        struct usage_entry entry = {.end = 0};

        *ret_all = false;
        lock_assert_held(&pool->lock);
        while (left && next_held(holder, &entry)) {
                uint32_t end = bounded_end(pool, entry.start, entry.end, &left);
                int r = holder_drop(holder, NULL, entry.start, end, entry.refs);

                if (r < 0)
                        return r;
                holder->released = end;
        }
        if (next_held(holder, &entry))
                return 0;
        if (pool->sole == holder)
                pool->sole = NULL;
        if (pool->recorder)
                record_leave(holder);
        if (holder->on_released)
                holder->on_released(holder->context);
        holder_discard(holder);
        *ret_all = true;
        return 0;
}

int holder_release_some(struct holder *holder)
{
        bool all;

        return release_some(holder, &all);
}

bool holder_release(struct holder *holder, void (*released)(void *context), void *context)
{
        struct pool *pool = holder->pool;
        bool all;
        LOCK_SCOPE(&pool->lock);

        LIST_REMOVE(holder, link);
        pool->holder_count--;
        LIST_INSERT_HEAD(&pool->orphans, holder, link);
        holder->context = context;
        holder->results.request = 0; /* nobody is to be told of this */
        holder->results.part = false;
        /* Most hold little: that is released here and now, the rest on the reclaim thread, which
         * also tries again if there was no memory for it. */
        release_some(holder, &all);
        if (!all)
                holder->on_released = released;
        if (!LIST_EMPTY(&pool->orphans))
                reclaim_wake(pool, false);
        return all;
}

struct holder *holder_free(struct holder *holder)
{
        if (holder)
                holder_release(holder, NULL, NULL);
        return NULL;
}
