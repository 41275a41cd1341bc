// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

#include "base/check.h"

/* The root became empty, or has one child left. */
static void shrink_root(struct usage_tree *tree)
{
        struct node *root = tree->root;

        if (!root->count) {
                node_free(tree->nodes, root);
                tree->root = NULL;
                tree->height = 0;
                return;
        }
        while (root->level && root->count == 1) {
                tree->root = node_inner(root)->child[0];
                tree->height--;
                node_free(tree->nodes, root);
                root = tree->root;
        }
        tree->summary = node_summary(tree, root);
}

static bool is_rightmost(
        const struct usage_tree *tree, const struct usage_path *path, unsigned level)
{
        for (; level < tree->height; level++)
                if (path->index[level + 1] + 1 < path->node[level + 1]->count)
                        return false;
        return true;
}

static void grow_root(struct usage_tree *tree, struct node *left, struct node *right)
{
        struct node *root = node_new(tree->nodes, left->level + 1u);
        struct usage_summary summaries[2] = {node_summary(tree, left), node_summary(tree, right)};

        check(root->level + 1u < NODE_LEVELS_MAX);
        inner_set(node_inner(root), 0, left, &summaries[0]);
        inner_set(node_inner(root), 1, right, &summaries[1]);
        root->count = 2;
        tree->root = root;
        tree->height++;
        tree->summary = node_summary(tree, root);
}

static void insert_child(
        struct inner *inner, unsigned i, struct node *child, const struct usage_summary *summary)
{
        node_move(&inner->node, i + 1, &inner->node, i, inner->node.count - i);
        inner_set(inner, i, child, summary);
        inner->node.count++;
}

/*
 * node[level] of the path was split: `right` holds what came after it; left_changed: and it is no
 * longer what its parent knows. Puts it into the parent, which may split in turn. At the right edge
 * of the tree the left part stays (nearly) full: allocations that go upwards leave full nodes
 * behind.
 */
static void add_sibling(struct usage_tree *tree, struct usage_path *path, unsigned level,
        struct node *right, bool left_changed)
{
        struct usage_summary summary = node_summary(tree, right), left;
        struct node *parent, *other;
        unsigned at, keep;

        if (level == tree->height) {
                grow_root(tree, path->node[level], right);
                return;
        }
        parent = path->node[level + 1];
        at = path->index[level + 1] + 1;
        if (left_changed) {
                left = node_summary(tree, path->node[level]);
                inner_set(node_inner(parent), at - 1, path->node[level], &left);
        }
        if (parent->count < tree->nodes->inner_max) {
                insert_child(node_inner(parent), at, right, &summary);
                summary_propagate(tree, path, level + 1);
                return;
        }
        /* An inner node has two children or more, also here. */
        keep = at == parent->count && is_rightmost(tree, path, level + 1)
                       ? parent->count - 1u
                       : (parent->count + 1u) / 2;
        other = node_new(tree->nodes, parent->level);
        node_set_count(other, parent->count - keep);
        node_move(other, 0, parent, keep, other->count);
        node_set_count(parent, keep);
        if (at <= keep)
                insert_child(node_inner(parent), at, right, &summary);
        else
                insert_child(node_inner(other), at - keep, right, &summary);
        add_sibling(tree, path, level + 1, other, true);
}

static void remove_child(struct inner *inner, unsigned i)
{
        node_move(&inner->node, i, &inner->node, i + 1, inner->node.count - i - 1u);
        node_set_count(&inner->node, inner->node.count - 1u);
}

/* Evens out two nodes that lie side by side. */
static void share(struct node *left, struct node *right)
{
        unsigned want = (left->count + right->count) / 2u;
        unsigned shift;

        if (left->count > want) {
                shift = left->count - want;
                node_move(right, shift, right, 0, right->count);
                node_move(right, 0, left, want, shift);
                node_set_count(right, right->count + shift);
        } else {
                shift = want - left->count;
                node_move(left, left->count, right, 0, shift);
                node_move(right, 0, right, shift, right->count - shift);
                node_set_count(right, right->count - shift);
        }
        node_set_count(left, want);
}

/* node[level] of the path has fewer than the minimum: joins it with a neighbour, or takes from it.
 */
static void refill(struct usage_tree *tree, struct usage_path *path, unsigned level)
{
        struct usage_summary summary;
        struct inner *parent;
        struct node *left, *right;
        unsigned maximum, i;

        if (level == tree->height) {
                shrink_root(tree);
                return;
        }
        parent = node_inner(path->node[level + 1]);
        i = path->index[level + 1];
        if (i + 1 == parent->node.count)
                i--;
        left = parent->child[i];
        right = parent->child[i + 1];
        maximum = node_maximum(tree->nodes, level);
        /* A joined node keeps some room, or the next insert would split it at once. */
        if (left->count + right->count > maximum - maximum / 8) {
                share(left, right);
                summary = node_summary(tree, right);
                inner_set(parent, i + 1, right, &summary);
        } else {
                node_move(left, left->count, right, 0, right->count);
                node_set_count(left, left->count + right->count);
                node_free(tree->nodes, right);
                remove_child(parent, i + 1);
        }
        summary = node_summary(tree, left);
        inner_set(parent, i, left, &summary);
        if (parent->node.count < node_minimum(tree->nodes, level + 1))
                refill(tree, path, level + 1);
        else
                summary_propagate(tree, path, level + 1);
}

/* The splice needs more room than the leaf has: deals its entries out to it and a new one. */
static void splice_split(struct usage_tree *tree, struct usage_path *path, unsigned index,
        unsigned remove, const struct usage_entry *entries, unsigned count)
{
        struct usage_entry all[2 * NODE_LEAF_MAX];
        struct leaf *leaf = node_leaf(path->node[0]);
        unsigned before = leaf->node.count, total = 0, keep;
        bool append = index + remove == before && is_rightmost(tree, path, 0);
        struct node *right = node_new(tree->nodes, 0);

        if (append && !remove && before == tree->nodes->leaf_max) {
                /* As with every allocation that goes upwards: nothing to be dealt out. */
                for (unsigned i = 0; i < count; i++)
                        leaf_set(node_leaf(right), i, &entries[i]);
                node_set_count(right, count);
                add_sibling(tree, path, 0, right, false);
                return;
        }
        for (unsigned i = 0; i < index; i++)
                all[total++] = leaf_get(leaf, i);
        for (unsigned i = 0; i < count; i++)
                all[total++] = entries[i];
        for (unsigned i = index + remove; i < before; i++)
                all[total++] = leaf_get(leaf, i);
        keep = append ? tree->nodes->leaf_max : total / 2;
        check(keep <= total && keep <= tree->nodes->leaf_max);
        check(total - keep <= tree->nodes->leaf_max);
        for (unsigned i = 0; i < keep; i++)
                leaf_set(leaf, i, &all[i]);
        for (unsigned i = keep; i < total; i++)
                leaf_set(node_leaf(right), i - keep, &all[i]);
        node_set_count(&leaf->node, keep);
        node_set_count(right, total - keep);
        add_sibling(tree, path, 0, right, true);
}

void tree_splice(struct usage_tree *tree, struct usage_path *path, unsigned index, unsigned remove,
        const struct usage_entry *entries, unsigned count, bool gaps)
{
        struct leaf *leaf = node_leaf(path->node[0]);
        unsigned after = leaf->node.count - remove + count;

        tree->totals.entries += (uint64_t)count - remove;
        if (after > tree->nodes->leaf_max) {
                splice_split(tree, path, index, remove, entries, count);
                return;
        }
        if (remove != count)
                leaf_shift(leaf, index + remove, index + count);
        for (unsigned i = 0; i < count; i++)
                leaf_set(leaf, index + i, &entries[i]);
        /* Only what loses entries is refilled: the last leaf may be growing from one. */
        if (count < remove && after < node_minimum(tree->nodes, 0) && (tree->height || !after))
                refill(tree, path, 0);
        else if (gaps)
                summary_propagate(tree, path, 0);
        else
                summary_set_tags(tree, path, leaf_tags(leaf));
}
