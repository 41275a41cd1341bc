// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

/*
 * The loops go through whole columns, padding too: the gap before a place of padding is negative,
 * and its tags and gaps are zero. Compilers turn them into vectors.
 */
static inline int32_t larger(int32_t a, int32_t b)
{
        return a > b ? a : b;
}

uint8_t leaf_tags(const struct leaf *leaf)
{
        uint8_t tags = 0;

        for (unsigned i = 0; i < NODE_LEAF_MAX; i++)
                tags |= leaf->tags[i];
        return tags & NODE_TAGS;
}

uint32_t leaf_gap(const struct leaf *leaf)
{
        int32_t gap = 0;

        for (unsigned i = 0; i + 1 < NODE_LEAF_MAX; i++)
                gap = larger(gap, (int32_t)(leaf->start[i + 1] - leaf->end[i]));
        return (uint32_t)gap;
}

static struct usage_summary leaf_summary(const struct leaf *leaf, uint32_t alignment)
{
        struct usage_summary summary = {
                .start = leaf->start[0],
                .end = leaf->end[leaf->node.count - 1],
                .gap = leaf_gap(leaf),
                .tags = leaf_tags(leaf),
        };

        if (summary.gap < alignment)
                return summary; /* nearly always: no gap that an aligned search could ask for */
        for (unsigned i = 0; i + 1u < leaf->node.count; i++) {
                uint32_t aligned = gap_aligned(leaf->end[i], leaf->start[i + 1], alignment);

                if (aligned > summary.aligned_gap)
                        summary.aligned_gap = aligned;
        }
        return summary;
}

static uint8_t inner_tags(const struct inner *inner)
{
        uint8_t tags = 0;

        for (unsigned i = 0; i < NODE_INNER_MAX; i++)
                tags |= inner->tags[i];
        return tags;
}

static uint32_t inner_aligned_gap(const struct inner *inner, uint32_t alignment)
{
        uint32_t longest = 0;

        for (unsigned i = 0; i < inner->node.count; i++) {
                uint32_t aligned = inner->aligned_gap[i];

                if (i + 1u < inner->node.count) {
                        uint32_t between =
                                gap_aligned(inner->end[i], inner->start[i + 1], alignment);

                        aligned = between > aligned ? between : aligned;
                }
                longest = aligned > longest ? aligned : longest;
        }
        return longest;
}

static struct usage_summary inner_summary(const struct inner *inner, uint32_t alignment)
{
        struct usage_summary summary = {
                .start = inner->start[0],
                .end = inner->end[inner->node.count - 1],
                .tags = inner_tags(inner),
        };
        int32_t gap = (int32_t)inner->gap[NODE_INNER_MAX - 1];

        for (unsigned i = 0; i + 1 < NODE_INNER_MAX; i++) {
                gap = larger(gap, (int32_t)(inner->start[i + 1] - inner->end[i]));
                gap = larger(gap, (int32_t)inner->gap[i]);
        }
        summary.gap = (uint32_t)gap;
        if (summary.gap >= alignment)
                summary.aligned_gap = inner_aligned_gap(inner, alignment);
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

struct usage_summary summary_known(
        const struct usage_tree *tree, const struct usage_path *path, unsigned level)
{
        if (level == tree->height)
                return tree->summary;
        return inner_get(node_inner(path->node[level + 1]), path->index[level + 1]);
}

static bool same(const struct usage_summary *a, const struct usage_summary *b)
{
        return a->start == b->start && a->end == b->end && a->gap == b->gap &&
               a->aligned_gap == b->aligned_gap && a->tags == b->tags;
}

/*
 * Child i of the parent was `before` and is `now`. Changes what is known of the parent accordingly,
 * if that can be told without looking at the other children; returns false if not. It can when the
 * child's longest gap grew, or was not the longest; and when it grows at its end and is the last,
 * as happens with every allocation that goes upwards.
 */
static bool derive(const struct inner *parent, unsigned i, const struct usage_summary *before,
        const struct usage_summary *now, struct usage_summary *summary)
{
        if (now->start != before->start)
                return false;
        if (now->end != before->end && i + 1u != parent->node.count)
                return false;
        if (now->gap < before->gap && before->gap == summary->gap)
                return false;
        if (now->aligned_gap < before->aligned_gap && before->aligned_gap == summary->aligned_gap)
                return false;
        if (now->end != before->end)
                summary->end = now->end;
        if (now->gap > summary->gap)
                summary->gap = now->gap;
        if (now->aligned_gap > summary->aligned_gap)
                summary->aligned_gap = now->aligned_gap;
        summary->tags = before->tags & ~now->tags ? inner_tags(parent) : summary->tags | now->tags;
        return true;
}

void summary_set(struct usage_tree *tree, const struct usage_path *path, unsigned level,
        struct usage_summary now)
{
        for (; level < tree->height; level++) {
                struct usage_summary before = summary_known(tree, path, level);
                struct inner *parent = node_inner(path->node[level + 1]);
                unsigned i = path->index[level + 1];
                struct usage_summary above;

                if (same(&now, &before))
                        return;
                above = summary_known(tree, path, level + 1);
                inner_set(parent, i, path->node[level], &now);
                if (!derive(parent, i, &before, &now, &above))
                        above = inner_summary(parent, tree->alignment);
                now = above;
        }
        tree->summary = now;
}

void summary_propagate(struct usage_tree *tree, const struct usage_path *path, unsigned level)
{
        summary_set(tree, path, level, node_summary(tree, path->node[level]));
}

void summary_set_end(struct usage_tree *tree, const struct usage_path *path, uint32_t end)
{
        struct usage_summary summary;
        unsigned level = 0;

        /* As long as it is the last child nothing else depends on it. */
        while (level < tree->height && path->index[level + 1] + 1 == path->node[level + 1]->count) {
                level++;
                node_inner(path->node[level])->end[path->index[level]] = end;
        }
        summary = summary_known(tree, path, level);
        summary.end = end;
        summary_set(tree, path, level, summary);
}

void summary_set_tags(struct usage_tree *tree, const struct usage_path *path, uint8_t tags)
{
        for (unsigned level = 1; level <= tree->height; level++) {
                struct inner *parent = node_inner(path->node[level]);
                uint8_t *place = &parent->tags[path->index[level]], before = *place;

                if (before == tags)
                        return;
                *place = tags;
                tags = before & ~tags ? inner_tags(parent)
                                      : summary_known(tree, path, level).tags | tags;
        }
        tree->summary.tags = tags;
}
