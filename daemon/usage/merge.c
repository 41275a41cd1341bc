// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

/* To the last entry before the leaf of the path. Returns false if there is none. */
static bool path_previous_leaf(const struct usage_tree *tree, struct usage_path *path)
{
        unsigned level = 1;

        while (level <= tree->height && !path->index[level])
                level++;
        if (level > tree->height)
                return false;
        path->index[level]--;
        for (; level; level--) {
                struct node *child = node_inner(path->node[level])->child[path->index[level]];

                path->node[level - 1] = child;
                path->index[level - 1] = child->count - 1u;
        }
        return true;
}

void tree_merge_at(struct usage_tree *tree, uint32_t page)
{
        struct usage_path path, before;
        struct usage_entry low, high;

        if (!tree->root || page >= tree->summary.end || page <= tree->summary.start)
                return;
        path_seek(tree, page, &path);
        high = leaf_get(node_leaf(path.node[0]), path.index[0]);
        before = path;
        if (path.index[0])
                before.index[0]--;
        else if (!path_previous_leaf(tree, &before))
                return;
        low = leaf_get(node_leaf(before.node[0]), before.index[0]);
        if (!entry_mergeable(&low, &high))
                return;
        entry_merge(&low, &high);
        if (path.index[0]) {
                tree_splice(tree, &path, before.index[0], 2, &low, 1, false);
                return;
        }
        tree_splice(tree, &path, 0, 1, NULL, 0, true);
        path_seek(tree, low.start, &before);
        tree_splice(tree, &before, before.index[0], 1, &low, 1, true);
}
