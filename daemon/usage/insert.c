// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

void tree_plant(struct usage_tree *tree, const struct usage_entry *entry)
{
        struct usage_path path = {0};

        tree->root = node_new(tree->nodes, 0);
        tree->height = 0;
        path.node[0] = tree->root;
        totals_add(&tree->totals, entry);
        tree_splice(tree, &path, 0, 0, entry, 1, true);
}

/* Whether the entry can become one with that at place i, which it touches. */
static bool is_like(const struct leaf *leaf, unsigned i, const struct usage_entry *entry)
{
        return leaf->refs[i] == entry->refs && !((leaf->tags[i] ^ entry->tags) & USAGE_KIND_MASK);
}

/* Whether it would lose a mark that is known above. */
static bool loses_mark(const struct leaf *leaf, unsigned i)
{
        return leaf->tags[i] & USAGE_SCANNING;
}

/* Puts the entry at place i, or makes it one with what it touches there and is like it. */
static inline void put(struct usage_tree *tree, struct leaf *leaf, unsigned i,
        const struct usage_entry *entry, bool like_low, bool like_high)
{
        if (like_low && like_high) {
                leaf->end[i - 1] = leaf->end[i];
                leaf->committed[i - 1] += entry->committed + leaf->committed[i];
                leaf->tags[i - 1] |= leaf->tags[i];
                leaf_shift(leaf, i + 1, i);
                tree->totals.entries--;
        } else if (like_low) {
                leaf->end[i - 1] = entry->end;
                leaf->committed[i - 1] += entry->committed;
        } else if (like_high) {
                leaf->start[i] = entry->start;
                leaf->committed[i] += entry->committed;
        } else {
                leaf_shift(leaf, i, i + 1);
                leaf_set(leaf, i, entry);
                tree->totals.entries++;
        }
}

/* Whether the leaf keeps enough with one entry less. */
static inline bool can_shrink(const struct usage_tree *tree, const struct leaf *leaf)
{
        return !tree->height || leaf->node.count > node_minimum(tree->nodes, 0);
}

/*
 * The longest gap of a leaf, where one of `longest`, next to place i, was filled. Often there is
 * one like it close by: where many ranges of one length were freed.
 */
static inline uint32_t next_longest(const struct leaf *leaf, unsigned i, uint32_t longest)
{
        unsigned last = i + 2 < NODE_LEAF_MAX ? i + 2 : NODE_LEAF_MAX - 1;

        for (i--; i < last; i++)
                if (leaf->start[i + 1] - leaf->end[i] == longest)
                        return longest;
        return leaf_gap(leaf);
}

/*
 * The short way, for an entry in a gap between two others of the leaf, or behind its last one. The
 * longest gap of the leaf is what it was, unless it was as long as this one. Returns false, with
 * nothing changed, if it is neither.
 */
static bool insert_short(
        struct usage_tree *tree, const struct usage_path *path, const struct usage_entry *entry)
{
        struct leaf *leaf = node_leaf(path->node[0]);
        unsigned i = path->index[0];
        struct usage_summary summary = summary_known(tree, path, 0);
        bool last = i == leaf->node.count, like_low, like_high;
        uint32_t low, gap;

        if (!i || leaf->node.count == tree->nodes->leaf_max || entry->tags & NODE_TAGS)
                return false;
        low = leaf->end[i - 1];
        like_low = low == entry->start && is_like(leaf, i - 1, entry);
        like_high = !last && leaf->start[i] == entry->end && is_like(leaf, i, entry);
        if ((like_low && loses_mark(leaf, i - 1)) || (like_high && loses_mark(leaf, i)) ||
                (like_low && like_high && !can_shrink(tree, leaf)))
                return false;
        gap = last ? entry->start - low : leaf->start[i] - low;
        if (gap >= tree->alignment)
                return false; /* its aligned part would have to be looked at too */
        put(tree, leaf, i, entry, like_low, like_high);
        if (last && gap <= summary.gap) {
                summary_set_end(tree, path, entry->end);
                return true;
        }
        if (last) {
                summary.end = entry->end;
                summary.gap = gap;
        } else if (gap == summary.gap) {
                summary.gap = next_longest(leaf, i, gap);
        } else {
                return true;
        }
        summary_set(tree, path, 0, summary);
        return true;
}

/* The long way: the leaf may be split, or be joined with another one. */
static void insert_long(
        struct usage_tree *tree, struct usage_path *path, const struct usage_entry *added)
{
        struct usage_entry entry = *added, neighbour;
        const struct leaf *leaf = node_leaf(path->node[0]);
        unsigned index = path->index[0], remove = 0;

        if (index < leaf->node.count) {
                neighbour = leaf_get(leaf, index);
                check(neighbour.start >= entry.end);
                if (entry_mergeable(&entry, &neighbour)) {
                        entry_merge(&entry, &neighbour);
                        remove++;
                }
        }
        if (index) {
                neighbour = leaf_get(leaf, index - 1);
                check(neighbour.end <= entry.start);
                if (entry_mergeable(&neighbour, &entry)) {
                        entry_merge(&neighbour, &entry);
                        entry = neighbour;
                        index--;
                        remove++;
                }
        }
        tree_splice(tree, path, index, remove, &entry, 1, true);
}

void tree_insert_at(
        struct usage_tree *tree, struct usage_path *path, const struct usage_entry *entry)
{
        const struct leaf *leaf = node_leaf(path->node[0]);
        bool edge_before =
                !path->index[0] && entry->start && path_end_before(tree, path) == entry->start;
        bool edge_after =
                path->index[0] == leaf->node.count && path_start_after(tree, path) == entry->end;

        totals_add(&tree->totals, entry);
        if (!insert_short(tree, path, entry))
                insert_long(tree, path, entry);
        if (edge_before)
                tree_merge_at(tree, entry->start);
        if (edge_after)
                tree_merge_at(tree, entry->end);
}

void usage_tree_insert(struct usage_tree *tree, const struct usage_entry *entry)
{
        struct usage_path path;

        check(entry->start < entry->end && entry->end <= tree->capacity);
        if (!tree->root) {
                tree_plant(tree, entry);
                return;
        }
        path_seek(tree, entry->start, &path);
        tree_insert_at(tree, &path, entry);
}
