// SPDX-License-Identifier: Apache-2.0
#include "memory/replay.h"

#include <errno.h>
#include <stdlib.h>

/*
 * The pool's tree as the sum over its holders. What the kernel stores of it nobody knows any more:
 * every entry is an estimate of nothing until the next scan.
 */
struct addition {
        uint32_t refs;
        uint8_t kind;
        bool wrong;
};

static bool change_add(struct usage_entry *entry, void *argument)
{
        struct addition *addition = argument;

        if (usage_entry_kind(entry) != addition->kind ||
                (uint64_t)entry->refs + addition->refs >= REFS_PREPARING)
                addition->wrong = true;
        else
                entry->refs += addition->refs;
        return true;
}

static int add_new(
        struct usage_tree *tree, uint32_t start, uint32_t end, uint32_t refs, uint8_t kind)
{
        const struct usage_entry entry = {
                .start = start,
                .end = end,
                .refs = refs,
                .tags = (uint8_t)(kind | USAGE_ESTIMATED | (refs ? 0 : USAGE_FREED)),
        };
        int r = usage_nodes_reserve(tree->nodes, usage_tree_need(tree));

        if (r == 0)
                usage_tree_insert(tree, &entry);
        return r;
}

/* Adds to what is there in [start, end), all of it or none. */
static int add_some(
        struct usage_tree *tree, uint32_t start, uint32_t end, struct addition *addition)
{
        int r = usage_nodes_reserve(tree->nodes, usage_tree_need(tree));

        if (r == 0)
                usage_tree_change(tree, start, end, change_add, addition);
        return r == 0 && addition->wrong ? -EBADMSG : r;
}

static int add_holding(struct usage_tree *tree, const struct usage_entry *held)
{
        uint8_t kind = (uint8_t)usage_entry_kind(held);
        struct addition addition = {.refs = held->refs, .kind = kind};
        uint32_t start = held->start;
        struct usage_entry there;

        if (!tree->root || start >= tree->summary.end)
                return add_new(tree, start, held->end, held->refs, kind);
        while (start < held->end) {
                bool found = usage_tree_find(tree, start, &there) && there.start < held->end;
                uint32_t end = found && there.start > start ? there.start : held->end;
                int r;

                if (found && there.start <= start) {
                        end = there.end < held->end ? there.end : held->end;
                        r = add_some(tree, start, end, &addition);
                } else {
                        r = add_new(tree, start, end, held->refs, kind);
                }
                if (r < 0)
                        return r;
                start = end;
        }
        return 0;
}

/* ---- in order ---------------------------------------------------------------------------------
 */

/* All holdings, by ascending start: what is added behind the end of a tree finds its place in the
 * cache. */
struct sorted {
        struct usage_entry *entries;
        struct usage_entry *other; /* room for as many */
        size_t count;
};

#define DIGIT_BITS 11
#define DIGITS     3 /* pages have 31 bits */

/* One pass of a radix sort. */
static void sort_by_digit(struct sorted *sorted, unsigned shift)
{
        size_t places[1u << DIGIT_BITS] = {0}, sum = 0;
        const uint32_t mask = (1u << DIGIT_BITS) - 1;
        struct usage_entry *from = sorted->entries;

        for (size_t i = 0; i < sorted->count; i++)
                places[from[i].start >> shift & mask]++;
        for (size_t digit = 0; digit <= mask; digit++) {
                size_t count = places[digit];

                places[digit] = sum;
                sum += count;
        }
        for (size_t i = 0; i < sorted->count; i++)
                sorted->other[places[from[i].start >> shift & mask]++] = from[i];
        sorted->entries = sorted->other;
        sorted->other = from;
}

static void collect_holder(struct sorted *sorted, const struct holder *holder)
{
        struct usage_cursor cursor;
        struct usage_entry entry;

        usage_cursor_init(&cursor, &holder->holdings, 0);
        while (usage_cursor_next(&cursor, &entry))
                sorted->entries[sorted->count++] = entry;
}

/* *ret_only: the one that holds anything; NULL if there are none or several. */
static size_t count_holdings(const struct recorder *recorder, struct holder **ret_only)
{
        unsigned holders = 0;
        size_t count = 0;

        *ret_only = NULL;
        for (uint32_t slot = 0; slot < recorder->slot_room; slot++) {
                struct holder *holder = recorder->slots[slot];

                if (!holder || !holder->holdings.root)
                        continue;
                count += holder->holdings.totals.entries;
                *ret_only = holders++ ? NULL : holder;
        }
        return count;
}

static int add_sorted(struct pool *pool, struct sorted *sorted)
{
        const struct recorder *recorder = pool->recorder;
        int r = 0;

        for (uint32_t slot = 0; slot < recorder->slot_room; slot++)
                if (recorder->slots[slot])
                        collect_holder(sorted, recorder->slots[slot]);
        for (unsigned digit = 0; digit < DIGITS; digit++)
                sort_by_digit(sorted, digit * DIGIT_BITS);
        for (size_t i = 0; r == 0 && i < sorted->count; i++)
                r = add_holding(&pool->tree, &sorted->entries[i]);
        return r;
}

static int add_all_held(struct pool *pool, struct holder **ret_only)
{
        size_t count = count_holdings(pool->recorder, ret_only);
        struct sorted sorted = {.entries = malloc((count + 1) * sizeof(struct usage_entry)),
                .other = malloc((count + 1) * sizeof(struct usage_entry))};
        int r = sorted.entries && sorted.other ? add_sorted(pool, &sorted) : -ENOMEM;

        free(sorted.entries);
        free(sorted.other);
        return r;
}

/* ---- what nobody holds ------------------------------------------------------------------------
 */

/* The gaps of the pool's tree in what is taken are freed. */
static int add_freed(struct usage_tree *tree, const struct usage_entry *kept)
{
        struct usage_entry there;
        uint32_t page = kept->start;

        while (page < kept->end) {
                bool found = usage_tree_find(tree, page, &there) && there.start < kept->end;
                uint32_t end = found ? there.start : kept->end;

                if (end > page) {
                        int r = add_new(tree, page, end, 0, KIND_SYSTEM);

                        if (r < 0)
                                return r;
                }
                page = found ? there.end : kept->end;
        }
        return 0;
}

static int add_all_freed(struct replay *replay)
{
        struct usage_tree *tree = &replay->pool->tree;
        struct usage_cursor cursor;
        struct usage_entry entry;
        int r = 0;

        usage_cursor_init(&cursor, &replay->kept, 0);
        while (r == 0 && usage_cursor_next(&cursor, &entry))
                r = add_freed(tree, &entry);
        return r;
}

int replay_merge(struct replay *replay)
{
        struct pool *pool = replay->pool;
        struct holder *only;
        int r = add_all_held(pool, &only);

        if (r == 0)
                r = add_all_freed(replay);
        if (r < 0)
                return r;
        /* Held pages that are taken, and what else is taken, are all that is in the tree now. */
        if (usage_tree_pages(&pool->tree) + pool->tree.totals.freed !=
                usage_tree_pages(&replay->kept))
                return -EBADMSG;
        if (only) {
                usage_tree_clear(&only->holdings);
                pool->sole = only;
        }
        return 0;
}
