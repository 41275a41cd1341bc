// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * The references of the pool's tree are exactly the sum over its holders: as events, plus where an
 * entry of the tree begins, minus where a holding does, and the other way round at their ends.
 * Sorted by page, the sum has to be zero behind every page.
 */
struct event {
        uint32_t page;
        int64_t refs;
};

struct events {
        struct event *events;
        size_t count;
};

static int compare(const void *a, const void *b)
{
        const struct event *x = a, *y = b;

        return (x->page > y->page) - (x->page < y->page);
}

static void add_tree(struct events *events, const struct usage_tree *tree, int64_t sign)
{
        struct usage_cursor cursor;
        struct usage_entry entry;

        usage_cursor_init(&cursor, tree, 0);
        while (usage_cursor_next(&cursor, &entry)) {
                events->events[events->count++] = (struct event){entry.start, sign * entry.refs};
                events->events[events->count++] = (struct event){entry.end, -sign * entry.refs};
        }
}

static void validate_tree(const struct usage_tree *tree)
{
        const char *broken = usage_tree_validate(tree);

        if (broken)
                fprintf(stderr, "filemem: usage tree: %s\n", broken);
        check(!broken);
}

static void check_sums(struct events *events)
{
        int64_t sum = 0;

        qsort(events->events, events->count, sizeof(struct event), compare);
        for (size_t i = 0; i < events->count; i++) {
                sum += events->events[i].refs;
                if (i + 1 == events->count || events->events[i + 1].page != events->events[i].page)
                        check(sum == 0); /* references are the sum over the holders */
        }
}

/* Ranges of a holder are those of the pool, kind by kind. */
static void check_kinds(const struct pool *pool, const struct holder *holder)
{
        struct usage_cursor cursor;
        struct usage_entry entry, whole;

        usage_cursor_init(&cursor, &holder->holdings, 0);
        while (usage_cursor_next(&cursor, &entry))
                for (uint32_t page = entry.start; page < entry.end; page = whole.end) {
                        check(usage_tree_find(&pool->tree, page, &whole) && whole.start <= page);
                        check(usage_entry_kind(&whole) == usage_entry_kind(&entry));
                }
}

void pool_validate(struct pool *pool)
{
        LOCK_SCOPE(&pool->lock);
        size_t entries = pool->tree.totals.entries, nodes = usage_tree_count_nodes(&pool->tree);
        struct events events = {0};
        struct holder *holder, *lists[2] = {LIST_FIRST(&pool->holders), LIST_FIRST(&pool->orphans)};

        validate_tree(&pool->tree);
        for (int i = 0; i < 2; i++) {
                for (holder = lists[i]; holder; holder = LIST_NEXT(holder, link)) {
                        validate_tree(&holder->holdings);
                        check(holder->holdings.totals.freed == 0);
                        check_kinds(pool, holder);
                        check(!pool->sole || !holder->holdings.root);
                        entries += holder->holdings.totals.entries;
                        nodes += usage_tree_count_nodes(&holder->holdings);
                }
        }
        check(nodes == pool->nodes.live);
        events.events = calloc(2 * entries + 1, sizeof(struct event));
        check(events.events);
        if (!pool->sole)
                add_tree(&events, &pool->tree, 1);
        for (int i = 0; i < 2; i++)
                for (holder = lists[i]; holder; holder = LIST_NEXT(holder, link))
                        add_tree(&events, &holder->holdings, -1);
        check_sums(&events);
        free(events.events);
}
