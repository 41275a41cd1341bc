// SPDX-License-Identifier: Apache-2.0
#include "memory/replay.h"

#include <errno.h>

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

static int add_holder(struct usage_tree *tree, const struct holder *holder)
{
        struct usage_cursor cursor;
        struct usage_entry entry;
        int r = 0;

        usage_cursor_init(&cursor, &holder->holdings, 0);
        while (r == 0 && usage_cursor_next(&cursor, &entry))
                r = add_holding(tree, &entry);
        return r;
}

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
        struct recorder *recorder = pool->recorder;
        struct holder *only = NULL;
        unsigned count = 0;
        int r = 0;

        for (uint32_t slot = 0; r == 0 && slot < recorder->slot_room; slot++) {
                struct holder *holder = recorder->slots[slot];

                if (!holder || !holder->holdings.root)
                        continue;
                count++;
                only = holder;
                r = add_holder(&pool->tree, holder);
        }
        if (r == 0)
                r = add_all_freed(replay);
        if (r < 0)
                return r;
        /* Held pages that are taken, and what else is taken, are all that is in the tree now. */
        if (usage_tree_pages(&pool->tree) + pool->tree.totals.freed !=
                usage_tree_pages(&replay->kept))
                return -EBADMSG;
        if (count == 1) {
                usage_tree_clear(&only->holdings);
                pool->sole = only;
        }
        return 0;
}
