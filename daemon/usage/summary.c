// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

static inline uint32_t larger(uint32_t a, uint32_t b)
{
        return a > b ? a : b;
}

static struct usage_summary leaf_summary(const struct leaf *leaf, uint32_t alignment)
{
        unsigned count = leaf->node.count;
        struct usage_summary summary = {
                .start = leaf->start[0],
                .end = leaf->end[count - 1],
                .tags = leaf->tags[count - 1],
        };

        for (unsigned i = 0; i + 1 < count; i++) {
                summary.gap = larger(summary.gap, leaf->start[i + 1] - leaf->end[i]);
                summary.tags |= leaf->tags[i];
        }
        if (summary.gap < alignment)
                return summary; /* nearly always: no gap that an aligned search could ask for */
        for (unsigned i = 0; i + 1 < count; i++)
                summary.aligned_gap = larger(summary.aligned_gap,
                        gap_aligned(leaf->end[i], leaf->start[i + 1], alignment));
        return summary;
}

static struct usage_summary inner_summary(const struct inner *inner, uint32_t alignment)
{
        unsigned last = inner->node.count - 1u;
        struct usage_summary summary = inner_get(inner, last);

        summary.start = inner->start[0];
        for (unsigned i = 0; i < last; i++) {
                uint32_t gap = inner->start[i + 1] - inner->end[i];

                summary.gap = larger(summary.gap, larger(inner->gap[i], gap));
                summary.tags |= inner->tags[i];
                summary.aligned_gap = larger(summary.aligned_gap, inner->aligned_gap[i]);
                if (gap >= alignment)
                        summary.aligned_gap = larger(summary.aligned_gap,
                                gap_aligned(inner->end[i], inner->start[i + 1], alignment));
        }
        return summary;
}

struct usage_summary node_summary(const struct usage_tree *tree, const struct node *node)
{
        if (node->level)
                return inner_summary((const struct inner *)node, tree->alignment);
        return leaf_summary((const struct leaf *)node, tree->alignment);
}

struct usage_summary inner_get(const struct inner *inner, unsigned i)
{
        return (struct usage_summary){
                .start = inner->start[i],
                .end = inner->end[i],
                .gap = inner->gap[i],
                .aligned_gap = inner->aligned_gap[i],
                .tags = inner->tags[i],
        };
}

void inner_set(
        struct inner *inner, unsigned i, struct node *child, const struct usage_summary *summary)
{
        inner->child[i] = child;
        inner->start[i] = summary->start;
        inner->end[i] = summary->end;
        inner->gap[i] = summary->gap;
        inner->aligned_gap[i] = summary->aligned_gap;
        inner->tags[i] = summary->tags;
}

static bool same(const struct usage_summary *a, const struct usage_summary *b)
{
        return a->start == b->start && a->end == b->end && a->gap == b->gap &&
               a->aligned_gap == b->aligned_gap && a->tags == b->tags;
}

void summary_propagate(struct usage_tree *tree, const struct usage_path *path, unsigned level)
{
        for (; level < tree->height; level++) {
                struct inner *parent = node_inner(path->node[level + 1]);
                unsigned i = path->index[level + 1];
                struct usage_summary summary = node_summary(tree, path->node[level]);
                struct usage_summary before = inner_get(parent, i);

                if (same(&summary, &before))
                        return;
                inner_set(parent, i, path->node[level], &summary);
        }
        tree->summary = node_summary(tree, tree->root);
}
