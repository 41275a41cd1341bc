// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

#include <string.h>

void usage_tree_init(
        struct usage_tree *tree, struct usage_nodes *nodes, uint32_t capacity, uint32_t alignment)
{
        check(capacity && capacity < NODE_PAD_END);
        check(alignment && !(alignment & (alignment - 1)));
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

/* ---- places ---------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void seek(
        const struct usage_tree *tree, uint32_t page, struct usage_path *path)
{
        struct node *node = tree->root;

        for (unsigned level = tree->height; level; level--) {
                struct inner *inner = node_inner(node);
                unsigned i = inner_search(inner, page);

                if (i == node->count)
                        i--;
                path->node[level] = node;
                path->index[level] = i;
                node = inner->child[i];
                node_prefetch(node);
        }
        path->node[0] = node;
        path->index[0] = leaf_search(node_leaf(node), page);
}

void path_seek(const struct usage_tree *tree, uint32_t page, struct usage_path *path)
{
        seek(tree, page, path);
}

uint32_t path_end_before(const struct usage_tree *tree, const struct usage_path *path)
{
        for (unsigned level = 1; level <= tree->height; level++)
                if (path->index[level])
                        return node_inner(path->node[level])->end[path->index[level] - 1];
        return 0;
}

uint32_t path_start_after(const struct usage_tree *tree, const struct usage_path *path)
{
        for (unsigned level = 1; level <= tree->height; level++)
                if (path->index[level] + 1 < path->node[level]->count)
                        return node_inner(path->node[level])->start[path->index[level] + 1];
        return UINT32_MAX;
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

/* The rest of what usage_tree_locate() looks at, where it goes on into other leaves. */
static bool locate_beyond(
        const struct usage_tree *tree, uint32_t start, uint32_t end, uint32_t *most)
{
        struct usage_cursor cursor;
        struct usage_entry entry;

        usage_cursor_init(&cursor, tree, start);
        while (start < end) {
                if (!usage_cursor_next(&cursor, &entry) || entry.start > start || !entry.refs)
                        return false;
                if (entry.refs > *most)
                        *most = entry.refs;
                start = entry.end;
        }
        return true;
}

bool usage_tree_locate(const struct usage_tree *tree, uint32_t start, uint32_t end,
        struct usage_path *ret, uint32_t *ret_most)
{
        const struct leaf *leaf;

        *ret_most = 0;
        if (!tree->root || start >= tree->summary.end)
                return false;
        seek(tree, start, ret);
        leaf = node_leaf(ret->node[0]);
        for (unsigned i = ret->index[0]; i < leaf->node.count; i++) {
                if (leaf->start[i] > start || !leaf->refs[i])
                        return false;
                if (leaf->refs[i] > *ret_most)
                        *ret_most = leaf->refs[i];
                start = leaf->end[i];
                if (start >= end) {
                        ret->run = i + 1 - ret->index[0];
                        return true;
                }
        }
        ret->run = 0;
        return locate_beyond(tree, start, end, ret_most);
}

/* The first place from i on with any of the tags; the count of places if there is none. */
static unsigned first_tagged(const uint8_t *column, unsigned i, unsigned count, uint8_t tags)
{
        for (; i + 8 <= count; i += 8) {
                uint64_t eight;

                memcpy(&eight, column + i, sizeof(eight));
                if (eight & (tags * UINT64_C(0x0101010101010101)))
                        break;
        }
        while (i < count && !(column[i] & tags))
                i++;
        return i;
}

struct collection {
        struct usage_entry *entries;
        size_t count, max;
};

static void collect(struct node *node, uint32_t page, uint8_t tags, struct collection *collection)
{
        struct leaf *leaf = node_leaf(node);
        struct inner *inner = node_inner(node);
        unsigned count = node->count;
        unsigned i = node->level ? inner_search(inner, page) : leaf_search(leaf, page);
        const uint8_t *column = node->level ? inner->tags : leaf->tags;

        for (i = first_tagged(column, i, count, tags);
                i < count && collection->count < collection->max;
                i = first_tagged(column, i + 1, count, tags)) {
                if (node->level)
                        collect(inner->child[i], page, tags, collection);
                else
                        collection->entries[collection->count++] = leaf_get(leaf, i);
        }
}

size_t usage_tree_collect_tagged(const struct usage_tree *tree, uint32_t page, uint8_t tags,
        struct usage_entry *entries, size_t max)
{
        struct collection collection = {.entries = entries, .max = max};

        if (tree->root)
                collect(tree->root, page, tags, &collection);
        return collection.count;
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
