// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

/* First fit: the lowest gap that has room. Its place is found with it, so that an entry can be put
 * there without searching again. */

/* From the node at that level of the path on, to its first or behind its last entry. */
static void path_to_edge(struct usage_path *path, unsigned level, bool last)
{
        for (;; level--) {
                struct node *node = path->node[level];

                path->index[level] = last ? node->count - (level ? 1u : 0u) : 0;
                if (!level)
                        return;
                path->node[level - 1] = node_inner(node)->child[path->index[level]];
        }
}

/* What of the gap behind place i, up to the next one's start, an allocation can use. */
static inline uint32_t usable(
        const uint32_t *starts, const uint32_t *ends, unsigned i, uint32_t alignment)
{
        if (alignment == 1)
                return starts[i + 1] - ends[i];
        return gap_aligned(ends[i], starts[i + 1], alignment);
}

/*
 * How many places from the first on need not be looked at one by one: those in fours in which no
 * gap has the length, neither before the next place nor, in an inner node, inside of a child. What
 * is missing to it is negative if one has. Padding may look as if it had, which costs time alone:
 * a gap that is long enough comes before it.
 */
static inline __attribute__((always_inline)) unsigned pass_over(const uint32_t *starts,
        const uint32_t *ends, const uint32_t *inside, unsigned max, uint32_t length)
{
        quad most = (quad){0} + (length - 1);
        unsigned i = 0;

        for (; i + 4 < max; i += 4) {
                quad missing = most - (quad_load(starts + i + 1) - quad_load(ends + i));

                if (inside)
                        missing |= most - quad_load(inside + i);
                if (quad_any_negative(missing))
                        break;
        }
        return i;
}

static inline __attribute__((always_inline)) uint32_t find_in_leaf(
        struct usage_path *path, uint32_t length, uint32_t alignment)
{
        const struct leaf *leaf = node_leaf(path->node[0]);
        unsigned last = leaf->node.count - 1u, i = 0;

        if (alignment == 1)
                i = pass_over(leaf->start, leaf->end, NULL, NODE_LEAF_MAX, length);
        while (i < last && usable(leaf->start, leaf->end, i, alignment) < length)
                i++;
        check(i < last);
        path->index[0] = i + 1;
        return page_round_up(leaf->end[i], alignment);
}

/* The lowest gap between the entries of the tree; its summary says that there is one. */
static inline __attribute__((always_inline)) uint32_t find_between(
        const struct usage_tree *tree, uint32_t length, uint32_t alignment, struct usage_path *path)
{
        for (unsigned level = tree->height; level; level--) {
                const struct inner *inner = node_inner(path->node[level]);
                const uint32_t *gaps = alignment == 1 ? inner->gap : inner->aligned_gap;
                unsigned last = inner->node.count - 1u, i = 0;
                bool behind = false;

                if (alignment == 1)
                        i = pass_over(inner->start, inner->end, gaps, NODE_INNER_MAX, length);
                while (i < last && gaps[i] < length) {
                        behind = usable(inner->start, inner->end, i, alignment) >= length;
                        if (behind)
                                break;
                        i++;
                }
                path->index[level] = i;
                path->node[level - 1] = inner->child[i];
                node_prefetch(inner->child[i]);
                if (behind) {
                        path_to_edge(path, level - 1, true);
                        return page_round_up(inner->end[i], alignment);
                }
        }
        return find_in_leaf(path, length, alignment);
}

/* The start of the lowest gap, and the path to where its entry belongs. The tree is not empty. */
static bool find_gap(const struct usage_tree *tree, uint32_t length, bool aligned,
        struct usage_path *path, uint32_t *ret)
{
        uint32_t alignment = aligned ? tree->alignment : 1;
        uint32_t longest = aligned ? tree->summary.aligned_gap : tree->summary.gap;

        path->node[tree->height] = tree->root;
        if (tree->summary.start >= length) {
                path_to_edge(path, tree->height, false);
                *ret = 0;
                return true;
        }
        if (longest >= length) {
                *ret = aligned ? find_between(tree, length, alignment, path)
                               : find_between(tree, length, 1, path);
                return true;
        }
        path_to_edge(path, tree->height, true);
        *ret = page_round_up(tree->summary.end, alignment);
        return *ret <= tree->capacity && tree->capacity - *ret >= length;
}

bool usage_tree_find_gap(
        const struct usage_tree *tree, uint32_t length, bool aligned, uint32_t *ret)
{
        struct usage_path path;

        check(length && (!aligned || length >= tree->alignment));
        if (tree->root)
                return find_gap(tree, length, aligned, &path, ret);
        *ret = 0;
        return length <= tree->capacity;
}

uint32_t usage_tree_longest_gap(const struct usage_tree *tree)
{
        uint32_t longest, end;

        if (!tree->root)
                return tree->capacity;
        longest = tree->summary.gap;
        end = tree->capacity - tree->summary.end;
        if (tree->summary.start > longest)
                longest = tree->summary.start;
        return end > longest ? end : longest;
}

bool usage_tree_allocate(
        struct usage_tree *tree, uint32_t length, bool aligned, struct usage_entry *entry)
{
        struct usage_path path;
        uint32_t start;

        check(length && (!aligned || length >= tree->alignment));
        if (!tree->root) {
                if (length > tree->capacity)
                        return false;
                entry->start = 0;
                entry->end = length;
                tree_plant(tree, entry);
                return true;
        }
        if (!find_gap(tree, length, aligned, &path, &start))
                return false;
        entry->start = start;
        entry->end = start + length;
        tree_insert_at(tree, &path, entry);
        return true;
}
