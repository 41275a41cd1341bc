// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "usage/node.h"

/* Gives a new entry the kind of its first page, and ends it where the kind changes. */
static void take_kind(const struct usage_tree *kinds, struct usage_entry *entry)
{
        struct usage_cursor cursor;
        struct usage_entry run;
        uint32_t end = entry->start;

        usage_cursor_init(&cursor, kinds, entry->start);
        while (end < entry->end && usage_cursor_next(&cursor, &run)) {
                if (end == entry->start)
                        entry->tags = run.tags & USAGE_KIND_MASK;
                else if (entry->tags != (run.tags & USAGE_KIND_MASK))
                        break;
                end = run.end;
        }
        if (end < entry->end)
                entry->end = end;
}

/* The first gap in [*page, end), as an entry with one reference; *page goes on behind it. */
static bool next_gap(const struct usage_tree *tree, const struct usage_tree *kinds, uint32_t *page,
        uint32_t end, struct usage_entry *ret)
{
        struct usage_entry entry;

        while (*page < end) {
                bool found = usage_tree_find(tree, *page, &entry);

                if (!found || entry.start > *page) {
                        *ret = (struct usage_entry){
                                .start = *page,
                                .end = found && entry.start < end ? entry.start : end,
                                .refs = 1,
                        };
                        if (kinds)
                                take_kind(kinds, ret);
                        *page = ret->end;
                        return true;
                }
                *page = entry.end;
        }
        return false;
}

size_t usage_tree_increase_need(
        const struct usage_tree *tree, uint32_t start, uint32_t end, size_t runs)
{
        size_t half = tree->nodes->leaf_max / 2u, entries = 0, leaves, splits;
        struct usage_cursor cursor;
        struct usage_entry entry;
        struct usage_path path;
        uint32_t most;

        if (usage_tree_locate(tree, start, end, &path, &most))
                return usage_tree_need(tree);
        usage_cursor_init(&cursor, tree, start);
        while (usage_cursor_next(&cursor, &entry) && entry.start < end)
                entries++;
        if (!entries && runs <= 1)
                return usage_tree_need(tree);
        /*
         * At most entries + 1 gaps become entries, upwards, in as many more pieces as there are
         * runs beyond the first. A leaf that was there may be full and split at the first one in
         * it, then again for each half leaf of them. Of inner nodes that were there, and of splits
         * among them, there are at most half as many on each level as on the one below: as many
         * again in sum. Each level may add one at the edges.
         */
        leaves = entries / node_minimum(tree->nodes, 0) + 2;
        splits = leaves + (entries + runs) / half + 1;
        return 2 * splits + leaves + 2 * usage_tree_need(tree);
}

static bool add_reference(struct usage_entry *entry, void *argument)
{
        (void)argument;
        entry->refs++;
        return true;
}

void usage_tree_increase(
        struct usage_tree *tree, const struct usage_tree *kinds, uint32_t start, uint32_t end)
{
        struct usage_path path;
        struct usage_entry gap;
        uint32_t page = start, most;

        if (usage_tree_locate(tree, start, end, &path, &most)) {
                usage_tree_incref(tree, &path, start, end);
                return;
        }
        usage_tree_change(tree, start, end, add_reference, NULL);
        while (next_gap(tree, kinds, &page, end, &gap))
                usage_tree_insert(tree, &gap);
}
