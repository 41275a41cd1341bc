// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

void usage_tree_init(
        struct usage_tree *tree, struct usage_nodes *nodes, uint32_t capacity, uint32_t alignment)
{
        check(capacity && capacity <= UINT32_C(1) << 31 && alignment);
        *tree = (struct usage_tree){.nodes = nodes, .capacity = capacity, .alignment = alignment};
}

static void clear_node(struct usage_nodes *nodes, struct node *node)
{
        if (node->level)
                for (unsigned i = 0; i < node->count; i++)
                        clear_node(nodes, node_inner(node)->child[i]);
        node_free(nodes, node);
}

void usage_tree_clear(struct usage_tree *tree)
{
        if (tree->root)
                clear_node(tree->nodes, tree->root);
        usage_tree_init(tree, tree->nodes, tree->capacity, tree->alignment);
}

size_t usage_tree_need(const struct usage_tree *tree)
{
        /* A change adds two entries at the most, where it cuts. For each, every level may split and
         * a root be added; the first may have made the tree higher for the second. */
        return (size_t)2 * tree->height + 5;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* How many of the ends are at or below the page: ascending, so it is the place of the first above.
 */
static inline unsigned count_below(const uint32_t *ends, unsigned count, uint32_t page)
{
        unsigned below = 0;

        for (unsigned i = 0; i < count; i++)
                below += ends[i] <= page;
        return below;
}

void path_seek(const struct usage_tree *tree, uint32_t page, struct usage_path *path)
{
        struct node *node = tree->root;
        unsigned level = tree->height;

        path->end_before = 0;
        path->start_after = UINT32_MAX;
        for (; level; level--) {
                struct inner *inner = node_inner(node);
                unsigned i = count_below(inner->end, node->count, page);

                if (i == node->count)
                        i--;
                if (i)
                        path->end_before = inner->end[i - 1];
                if (i + 1 < node->count)
                        path->start_after = inner->start[i + 1];
                path->node[level] = node;
                path->index[level] = i;
                node = inner->child[i];
        }
        path->node[0] = node;
        path->index[0] = count_below(node_leaf(node)->end, node->count, page);
}

/* ---- looking --------------------------------------------------------------------------------- */

bool usage_tree_find(const struct usage_tree *tree, uint32_t page, struct usage_entry *ret)
{
        struct usage_path path;

        if (!tree->root || page >= tree->summary.end)
                return false;
        path_seek(tree, page, &path);
        *ret = leaf_get(node_leaf(path.node[0]), path.index[0]);
        return true;
}

static bool find_tagged(struct node *node, uint32_t page, uint8_t tags, struct usage_entry *ret)
{
        const uint32_t *ends = node->level ? node_inner(node)->end : node_leaf(node)->end;

        for (unsigned i = count_below(ends, node->count, page); i < node->count; i++) {
                if (node->level) {
                        struct inner *inner = node_inner(node);

                        /* In vain at most once a level: where the tagged one lies before the page.
                         */
                        if ((inner->tags[i] & tags) &&
                                find_tagged(inner->child[i], page, tags, ret))
                                return true;
                } else if (node_leaf(node)->tags[i] & tags) {
                        *ret = leaf_get(node_leaf(node), i);
                        return true;
                }
        }
        return false;
}

bool usage_tree_find_tagged(
        const struct usage_tree *tree, uint32_t page, uint8_t tags, struct usage_entry *ret)
{
        return tree->root && find_tagged(tree->root, page, tags, ret);
}

void usage_cursor_init(struct usage_cursor *cursor, const struct usage_tree *tree, uint32_t page)
{
        cursor->height = tree->height;
        cursor->done = !tree->root || page >= tree->summary.end;
        if (!cursor->done)
                path_seek(tree, page, &cursor->path);
}

static void step(struct usage_cursor *cursor)
{
        struct usage_path *path = &cursor->path;
        unsigned level = 0;

        while (++path->index[level] == path->node[level]->count) {
                if (level == cursor->height) {
                        cursor->done = true;
                        return;
                }
                level++;
        }
        for (; level; level--) {
                path->node[level - 1] = node_inner(path->node[level])->child[path->index[level]];
                path->index[level - 1] = 0;
        }
}

bool usage_cursor_next(struct usage_cursor *cursor, struct usage_entry *ret)
{
        if (cursor->done)
                return false;
        *ret = leaf_get(node_leaf(cursor->path.node[0]), cursor->path.index[0]);
        step(cursor);
        return true;
}

/* ---- gaps ------------------------------------------------------------------------------------ */

/* Whether [start, end) has room for length pages from where they may begin. */
static bool gap_fits(uint32_t start, uint32_t end, uint32_t length, uint32_t alignment)
{
        return alignment == 1 ? end - start >= length
                              : gap_aligned(start, end, alignment) >= length;
}

static uint32_t find_in_leaf(const struct leaf *leaf, uint32_t length, uint32_t alignment)
{
        unsigned i = 0;

        while (!gap_fits(leaf->end[i], leaf->start[i + 1], length, alignment)) {
                i++;
                check(i + 1 < leaf->node.count);
        }
        return page_round_up(leaf->end[i], alignment);
}

/* The lowest gap between the entries of the tree; its summary says that there is one. */
static uint32_t find_between(const struct usage_tree *tree, uint32_t length, uint32_t alignment)
{
        const struct node *node = tree->root;

        while (node->level) {
                const struct inner *inner = (const struct inner *)node;
                const uint32_t *gaps = alignment == 1 ? inner->gap : inner->aligned_gap;
                unsigned i = 0;

                for (; gaps[i] < length; i++) {
                        check(i + 1 < node->count);
                        if (gap_fits(inner->end[i], inner->start[i + 1], length, alignment))
                                return page_round_up(inner->end[i], alignment);
                }
                node = inner->child[i];
        }
        return find_in_leaf((const struct leaf *)node, length, alignment);
}

bool usage_tree_find_gap(
        const struct usage_tree *tree, uint32_t length, bool aligned, uint32_t *ret)
{
        uint32_t alignment = aligned ? tree->alignment : 1;
        uint32_t longest;

        check(length && (!aligned || length >= tree->alignment));
        if (!tree->root) {
                *ret = 0;
                return length <= tree->capacity;
        }
        if (tree->summary.start >= length) {
                *ret = 0;
                return true;
        }
        longest = aligned ? tree->summary.aligned_gap : tree->summary.gap;
        if (longest >= length) {
                *ret = find_between(tree, length, alignment);
                return true;
        }
        *ret = page_round_up(tree->summary.end, alignment);
        return gap_fits(tree->summary.end, tree->capacity, length, alignment);
}
