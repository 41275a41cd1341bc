// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usage/usage_tree.h"

/*
 * The nodes of a usage tree: a B+tree whose entries are in its leaves, column by column, so that a
 * search reads only the column it needs and an entry takes 17 bytes.
 *
 * An inner node keeps beside each child what a search has to know of it without going there:
 *
 *     start, end    the first page of its first entry, the end of its last
 *     gap           the longest gap between two entries in it
 *     aligned_gap   the longest such gap, counted from the first hugepage boundary in it
 *     tags          the tags of all its entries, or-ed
 *
 * The gaps before, between and after children follow from start and end, so a change in one leaf
 * never touches the node beside it, only those above it.
 */
#define NODE_SIZE      1024
#define NODE_LEAF_MAX  59
#define NODE_INNER_MAX 40

struct node {
        uint16_t count;
        uint8_t level; /* 0: leaf */
};

struct leaf {
        struct node node;
        uint32_t start[NODE_LEAF_MAX];
        uint32_t end[NODE_LEAF_MAX];
        uint32_t refs[NODE_LEAF_MAX];
        uint32_t committed[NODE_LEAF_MAX];
        uint8_t tags[NODE_LEAF_MAX];
};

struct inner {
        struct node node;
        struct node *child[NODE_INNER_MAX];
        uint32_t start[NODE_INNER_MAX];
        uint32_t end[NODE_INNER_MAX];
        uint32_t gap[NODE_INNER_MAX];
        uint32_t aligned_gap[NODE_INNER_MAX];
        uint8_t tags[NODE_INNER_MAX];
};

_Static_assert(sizeof(struct leaf) <= NODE_SIZE, "a leaf fits into a node");
_Static_assert(sizeof(struct inner) <= NODE_SIZE, "an inner node fits into a node");

static inline struct leaf *node_leaf(struct node *node)
{
        return (struct leaf *)node;
}

static inline struct inner *node_inner(struct node *node)
{
        return (struct inner *)node;
}

/* A node of that level, from what was reserved: cannot fail. node_free() keeps some for reuse. */
struct node *node_new(struct usage_nodes *nodes, unsigned level);
void node_free(struct usage_nodes *nodes, struct node *node);

/* The least that a node has when it is not the root: below it is joined with one beside it. */
static inline unsigned node_minimum(const struct usage_nodes *nodes, unsigned level)
{
        unsigned minimum = (level ? nodes->inner_max : nodes->leaf_max) * 2 / 5;

        return minimum > 2 || !level ? minimum : 2;
}

static inline unsigned node_maximum(const struct usage_nodes *nodes, unsigned level)
{
        return level ? nodes->inner_max : nodes->leaf_max;
}

static inline struct usage_entry leaf_get(const struct leaf *leaf, unsigned i)
{
        return (struct usage_entry){
                .start = leaf->start[i],
                .end = leaf->end[i],
                .refs = leaf->refs[i],
                .committed = leaf->committed[i],
                .tags = leaf->tags[i],
        };
}

static inline void leaf_set(struct leaf *leaf, unsigned i, const struct usage_entry *entry)
{
        leaf->start[i] = entry->start;
        leaf->end[i] = entry->end;
        leaf->refs[i] = entry->refs;
        leaf->committed[i] = entry->committed;
        leaf->tags[i] = entry->tags;
}

/* Copies `count` entries or children between nodes of one level, or within one. */
void node_move(
        struct node *to, unsigned to_index, struct node *from, unsigned from_index, unsigned count);

/* ---- summary.c ------------------------------------------------------------------------------- */

static inline uint32_t page_round_up(uint32_t page, uint32_t alignment)
{
        return (page + alignment - 1) / alignment * alignment;
}

/* The part of the gap [start, end) that begins at a hugepage boundary. */
static inline uint32_t gap_aligned(uint32_t start, uint32_t end, uint32_t alignment)
{
        uint32_t aligned = page_round_up(start, alignment);

        return aligned < end ? end - aligned : 0;
}

/* What an inner node keeps of this node, computed anew. The node is not empty. */
struct usage_summary node_summary(const struct usage_tree *tree, const struct node *node);

struct usage_summary inner_get(const struct inner *inner, unsigned i);
void inner_set(
        struct inner *inner, unsigned i, struct node *child, const struct usage_summary *summary);

/* Brings the summaries above node[level] of the path up to date, as far up as they change. */
void summary_propagate(struct usage_tree *tree, const struct usage_path *path, unsigned level);

/* ---- splice.c -------------------------------------------------------------------------------- */

/*
 * The one way in which a tree changes: in the leaf of the path, `remove` entries from place `index`
 * on are replaced by `count` others. Splits and joins nodes as needed and keeps summaries and
 * totals. The path is no longer valid then. Takes nodes only if count > remove, at most height + 2.
 */
void tree_splice(struct usage_tree *tree, struct usage_path *path, unsigned index, unsigned remove,
        const struct usage_entry *entries, unsigned count);

/* ---- usage_tree.c ---------------------------------------------------------------------------- */

/*
 * The path to the first entry that ends above `page`; if there is none, to behind the last entry.
 * The tree is not empty.
 */
void path_seek(const struct usage_tree *tree, uint32_t page, struct usage_path *path);
