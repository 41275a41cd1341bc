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

/*
 * The first place of a node with a gap of that length behind it or, in an inner node, inside of its
 * child. There is one. Four places at a time: what is missing to it is negative if it is there.
 * Padding may look as if it were, but comes later.
 */
static inline __attribute__((always_inline)) unsigned first_gap(const uint32_t *starts,
        const uint32_t *ends, const uint32_t *inside, unsigned max, uint32_t length)
{
        quad most = (quad){0} + (length - 1);
        unsigned i = 0;

        for (; i + 4 < max; i += 4) {
                quad missing = most - (quad_load(starts + i + 1) - quad_load(ends + i));

                if (inside)
                        missing |= most - quad_load(inside + i);
                if (quad_any_negative(missing))
                        return i + quad_first_negative(missing);
        }
        while (i + 1 < max && starts[i + 1] - ends[i] < length && (!inside || inside[i] < length))
                i++;
        return i;
}

/* The same for a gap that is aligned. What is behind the last place is in no node. */
static inline unsigned first_aligned_gap(const uint32_t *starts, const uint32_t *ends,
        const uint32_t *inside, unsigned count, uint32_t length, uint32_t alignment)
{
        unsigned i = 0;

        while (i + 1 < count && gap_aligned(ends[i], starts[i + 1], alignment) < length &&
                (!inside || inside[i] < length))
                i++;
        return i;
}

static inline __attribute__((always_inline)) uint32_t find_in_leaf(
        struct usage_path *path, uint32_t length, uint32_t alignment)
{
        const struct leaf *leaf = node_leaf(path->node[0]);
        unsigned i = alignment == 1 ? first_gap(leaf->start, leaf->end, NULL, NODE_LEAF_MAX, length)
                                    : first_aligned_gap(leaf->start, leaf->end, NULL,
                                              leaf->node.count, length, alignment);

        check(i + 1u < leaf->node.count);
        path->index[0] = i + 1;
        return page_round_up(leaf->end[i], alignment);
}

/* The lowest gap between the entries of the tree; its summary says that there is one. */
static inline __attribute__((always_inline)) uint32_t find_between(
        const struct usage_tree *tree, uint32_t length, uint32_t alignment, struct usage_path *path)
{
        for (unsigned level = tree->height; level; level--) {
                const struct inner *inner = node_inner(path->node[level]);
                const uint32_t *inside = alignment == 1 ? inner->gap : inner->aligned_gap;
                unsigned i = alignment == 1 ? first_gap(inner->start, inner->end, inside,
                                                      NODE_INNER_MAX, length)
                                            : first_aligned_gap(inner->start, inner->end, inside,
                                                      inner->node.count, length, alignment);

                path->index[level] = i;
                path->node[level - 1] = inner->child[i];
                node_prefetch(inner->child[i]);
                if (inside[i] < length) {
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
