// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

/*
 * What a session holds, and who holds a range: questions of operators. All that holds something
 * but the sole one has holdings of its own; what these are for, and what is committed of them, only
 * the pool's tree says. So both are walked side by side.
 */

/* Entries of a tree that a list may pass over, for each that it lists: freed ones have no count. */
#define PASSED_MAX 8

static uint32_t larger(uint32_t a, uint32_t b)
{
        return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
        return a < b ? a : b;
}

/* The part [start, end) of an entry of the pool's tree, of which the holder has `count`. */
static struct pool_holding describe(const struct pool *pool, const struct usage_entry *entry,
        uint32_t start, uint32_t end, uint32_t count)
{
        uint64_t whole = entry->end - entry->start, pages = end - start;
        uint64_t committed = entry->committed * pages / whole;
        bool divided = pages < whole && entry->committed && entry->committed < whole;

        return (struct pool_holding){
                .range = pool_bytes(pool, start, end),
                .kind = usage_entry_kind(entry),
                .count = count,
                .refs = entry->refs,
                .committed = committed * pool->file.page_size,
                .estimated = divided || entry->tags & USAGE_ESTIMATED,
        };
}

/* Of the sole one: all of the pool's tree that has references. */
static size_t list_sole(const struct pool *pool, uint32_t from, struct pool_holding *list,
        size_t length, uint32_t *ret_next)
{
        struct usage_cursor cursor;
        struct usage_entry entry;
        size_t count = 0;

        usage_cursor_init(&cursor, &pool->tree, from);
        for (size_t passed = 0; usage_cursor_next(&cursor, &entry); passed++) {
                if (count == length || passed == length * PASSED_MAX) {
                        *ret_next = larger(entry.start, from);
                        return count;
                }
                if (entry.refs)
                        list[count++] = describe(
                                pool, &entry, larger(entry.start, from), entry.end, entry.refs);
        }
        return count;
}

/* Of one among many. The pool's tree has an entry wherever something is held. */
static size_t list_shared(struct holder *holder, uint32_t from, struct pool_holding *list,
        size_t length, uint32_t *ret_next)
{
        const struct pool *pool = holder->pool;
        struct usage_cursor cursor;
        struct usage_entry own, entry;
        size_t count = 0;

        usage_cursor_init(&cursor, &holder->holdings, from);
        while (usage_cursor_next(&cursor, &own)) {
                for (uint32_t at = larger(own.start, from); at < own.end; at = entry.end) {
                        if (count == length) {
                                *ret_next = at;
                                return count;
                        }
                        if (!usage_tree_find(&pool->tree, at, &entry))
                                return count;
                        list[count++] =
                                describe(pool, &entry, at, smaller(entry.end, own.end), own.refs);
                }
        }
        return count;
}

size_t holder_list(struct holder *holder, uint64_t from, struct pool_holding *list, size_t length,
        uint64_t *ret_next)
{
        struct pool *pool = holder->pool;
        uint32_t next = 0;
        size_t count;

        *ret_next = 0;
        if (from >= pool->file.capacity)
                return 0;
        LOCK_SCOPE(&pool->lock);
        if (pool->sole == holder)
                count = list_sole(pool, pool_page(pool, from), list, length, &next);
        else
                count = list_shared(holder, pool_page(pool, from), list, length, &next);
        *ret_next = pool_bytes(pool, next, next).start;
        return count;
}

void holder_overlap(
        struct holder *holder, struct range range, unsigned *left, struct holder_overlap *ret)
{
        struct pool *pool = holder->pool;
        uint32_t start = pool_page(pool, range.start), end = pool_page(pool, range.end);
        struct usage_cursor cursor;
        struct usage_entry entry;
        LOCK_SCOPE(&pool->lock);

        *ret = (struct holder_overlap){0};
        usage_cursor_init(&cursor, holder_tree(holder), start);
        while (usage_cursor_next(&cursor, &entry) && entry.start < end) {
                if (!*left) {
                        ret->more = true;
                        return;
                }
                (*left)--;
                if (!entry.refs)
                        continue;
                ret->held += (uint64_t)(smaller(entry.end, end) - larger(entry.start, start)) *
                             pool->file.page_size;
                ret->most = larger(ret->most, entry.refs);
        }
}
