// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

/* Entries that are added behind all others at one go: a leaf full. */
struct tail {
        struct usage_tree *tree;
        struct usage_entry entries[NODE_LEAF_MAX];
        unsigned count;
};

static void tail_flush(struct tail *tail)
{
        struct usage_tree *tree = tail->tree;
        struct usage_path path;

        if (!tail->count)
                return;
        if (!tree->root) {
                tree->root = node_new(tree->nodes, 0);
                path.node[0] = tree->root;
                path.index[0] = 0;
        } else {
                path_seek(tree, tree->summary.end, &path);
        }
        for (unsigned i = 0; i < tail->count; i++)
                totals_add(&tree->totals, &tail->entries[i]);
        tree_splice(tree, &path, path.index[0], 0, tail->entries, tail->count, true);
        tail->count = 0;
}

static void tail_add(struct tail *tail, const struct usage_entry *entry)
{
        if (tail->count && entry_mergeable(&tail->entries[tail->count - 1], entry)) {
                entry_merge(&tail->entries[tail->count - 1], entry);
                return;
        }
        /* The last one may have to be merged with what comes. */
        if (tail->count == tail->tree->nodes->leaf_max) {
                struct usage_entry last = tail->entries[--tail->count];

                tail_flush(tail);
                tail->entries[tail->count++] = last;
        }
        tail->entries[tail->count++] = *entry;
}

size_t usage_tree_copy_need(const struct usage_tree *from)
{
        /* Leaves are left full, or less one; of inner nodes there are at most half as many. */
        size_t leaves = from->totals.entries / (from->nodes->leaf_max - 1u) + 2;

        return 2 * leaves + NODE_LEVELS_MAX;
}

void usage_tree_copy_held(struct usage_tree *tree, const struct usage_tree *from)
{
        struct tail tail = {.tree = tree};
        struct usage_cursor cursor;
        struct usage_entry entry;

        check(!tree->root);
        usage_cursor_init(&cursor, from, 0);
        while (usage_cursor_next(&cursor, &entry)) {
                if (!entry.refs)
                        continue;
                entry.committed = 0;
                entry.tags &= USAGE_KIND_MASK;
                tail_add(&tail, &entry);
        }
        tail_flush(&tail);
}
