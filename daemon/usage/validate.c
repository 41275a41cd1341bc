// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

#include <string.h>

/*
 * The invariants:
 *
 *  1. a node has 1 to its maximum of entries, an inner node 2 or more children, and levels go down
 *     by one to the leaves, which all have level 0;
 *  2. entries are not empty, ascending and disjoint, and lie below the capacity;
 *  3. no two that touch have the same kind and references: all is merged that can be;
 *  4. an entry is freed exactly if it has no references, and is of kind System then;
 *  5. no entry has more committed pages than pages;
 *  6. the places of a node beyond its count are padding;
 *  7. what an inner node keeps of a child, and the tree of its root, is what node_summary() says;
 *  8. the totals are the sums over all entries;
 *  9. the live nodes are those of the trees (usage_tree_count_nodes(): only who knows all trees of
 *     one set of nodes can check that).
 */
struct walk {
        const struct usage_tree *tree;
        struct usage_totals totals;
        struct usage_entry before; /* end is 0 at first */
        bool first;
};

static const char *check_entry(struct walk *walk, const struct usage_entry *entry)
{
        enum kind kind = usage_entry_kind(entry);

        if (entry->start >= entry->end)
                return "2: an entry is empty";
        if (entry->end > walk->tree->capacity)
                return "2: an entry ends beyond the capacity";
        if (!walk->first && entry->start < walk->before.end)
                return "2: entries overlap or are out of order";
        if (!walk->first && entry->start == walk->before.end && entry->refs == walk->before.refs &&
                kind == usage_entry_kind(&walk->before))
                return "3: entries that touch are alike and not merged";
        if (kind >= KIND_COUNT)
                return "4: an entry is of no kind";
        if (!entry->refs != !!(entry->tags & USAGE_FREED))
                return "4: freed and references disagree";
        if (!entry->refs && kind != KIND_SYSTEM)
                return "4: a freed entry is not of kind System";
        if (entry->committed > entry->end - entry->start)
                return "5: more pages are committed than there are";
        walk->first = false;
        walk->before = *entry;
        walk->totals.entries++;
        if (entry->refs) {
                walk->totals.pages[kind] += entry->end - entry->start;
                walk->totals.committed[kind] += entry->committed;
        } else {
                walk->totals.freed += entry->end - entry->start;
                walk->totals.freed_committed += entry->committed;
        }
        return NULL;
}

static bool leaf_is_padded(const struct leaf *leaf)
{
        for (unsigned i = leaf->node.count; i < NODE_LEAF_MAX; i++)
                if (leaf->end[i] != NODE_PAD_END || leaf->start[i] || leaf->tags[i])
                        return false;
        return true;
}

static bool inner_is_padded(const struct inner *inner)
{
        for (unsigned i = inner->node.count; i < NODE_INNER_MAX; i++)
                if (inner->end[i] != NODE_PAD_END || inner->start[i] || inner->gap[i] ||
                        inner->tags[i])
                        return false;
        return true;
}

static const char *check_leaf(struct walk *walk, const struct leaf *leaf)
{
        if (!leaf_is_padded(leaf))
                return "6: a leaf is not padded";
        for (unsigned i = 0; i < leaf->node.count; i++) {
                struct usage_entry entry = leaf_get(leaf, i);
                const char *broken = check_entry(walk, &entry);

                if (broken)
                        return broken;
        }
        return NULL;
}

static bool summary_is(struct usage_summary a, struct usage_summary b)
{
        return a.start == b.start && a.end == b.end && a.gap == b.gap &&
               a.aligned_gap == b.aligned_gap && a.tags == b.tags;
}

static const char *check_node(struct walk *walk, const struct node *node, unsigned level)
{
        const struct inner *inner = (const struct inner *)node;

        if (node->level != level)
                return "1: a node is on the wrong level";
        if (!node->count || node->count > node_maximum(walk->tree->nodes, level))
                return "1: a node has too few or too many entries";
        if (!level)
                return check_leaf(walk, (const struct leaf *)node);
        if (node->count < 2)
                return "1: an inner node has one child";
        if (!inner_is_padded(inner))
                return "6: an inner node is not padded";
        for (unsigned i = 0; i < node->count; i++) {
                const char *broken = check_node(walk, inner->child[i], level - 1);

                if (broken)
                        return broken;
                if (!summary_is(inner_get(inner, i), node_summary(walk->tree, inner->child[i])))
                        return "7: what is known of a child is out of date";
        }
        return NULL;
}

const char *usage_tree_validate(const struct usage_tree *tree)
{
        struct walk walk = {.tree = tree, .first = true};

        if (tree->root) {
                const char *broken = check_node(&walk, tree->root, tree->height);

                if (broken)
                        return broken;
                if (!summary_is(tree->summary, node_summary(tree, tree->root)))
                        return "7: what is known of the root is out of date";
        } else if (tree->height) {
                return "1: an empty tree has a height";
        }
        if (memcmp(&walk.totals, &tree->totals, sizeof(walk.totals)) != 0)
                return "8: the totals are not the sums";
        return NULL;
}

static size_t count_nodes(const struct node *node)
{
        size_t count = 1;

        if (node->level)
                for (unsigned i = 0; i < node->count; i++)
                        count += count_nodes(((const struct inner *)node)->child[i]);
        return count;
}

size_t usage_tree_count_nodes(const struct usage_tree *tree)
{
        return tree->root ? count_nodes(tree->root) : 0;
}
