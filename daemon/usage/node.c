// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What malloc adds to a node: its header, and rounding up to 16 bytes. */
#define NODE_OVERHEAD 16

void usage_nodes_init(struct usage_nodes *nodes)
{
        usage_nodes_init_small(nodes, NODE_LEAF_MAX, NODE_INNER_MAX);
}

void usage_nodes_init_small(struct usage_nodes *nodes, unsigned leaf_max, unsigned inner_max)
{
        check(leaf_max >= 4 && leaf_max <= NODE_LEAF_MAX);
        check(inner_max >= 4 && inner_max <= NODE_INNER_MAX);
        *nodes = (struct usage_nodes){.leaf_max = leaf_max, .inner_max = inner_max};
}

/* What the memory of a node is while it is free. */
struct usage_free_node {
        struct usage_free_node *next;
};

static void *pop(struct usage_nodes *nodes)
{
        struct usage_free_node *node = nodes->free;

        nodes->free = node->next;
        nodes->free_count--;
        return node;
}

static void push(struct usage_nodes *nodes, void *memory)
{
        struct usage_free_node *node = memory;

        node->next = nodes->free;
        nodes->free = node;
        nodes->free_count++;
}

void usage_nodes_deinit(struct usage_nodes *nodes)
{
        check(!nodes->live);
        while (nodes->free)
                free(pop(nodes));
}

int usage_nodes_fetch(struct usage_nodes *nodes, size_t count)
{
        while (nodes->free_count < count) {
                void *node = malloc(NODE_SIZE);

                if (!node)
                        return -ENOMEM;
                push(nodes, node);
        }
        return 0;
}

void usage_nodes_release(struct usage_nodes *nodes)
{
        while (nodes->free_count > USAGE_NODES_KEPT)
                free(pop(nodes));
}

size_t usage_nodes_footprint(const struct usage_nodes *nodes)
{
        return (nodes->live + nodes->free_count) * (NODE_SIZE + NODE_OVERHEAD);
}

/* Where all is padding: column by column, in whole vectors. */
static void pad_all_leaf(struct leaf *leaf)
{
        memset(leaf, 0, sizeof(*leaf));
        for (unsigned i = 0; i < NODE_LEAF_MAX; i++)
                leaf->end[i] = NODE_PAD_END;
}

static void pad_all_inner(struct inner *inner)
{
        memset(inner, 0, sizeof(*inner));
        for (unsigned i = 0; i < NODE_INNER_MAX; i++)
                inner->end[i] = NODE_PAD_END;
}

struct node *node_new(struct usage_nodes *nodes, unsigned level)
{
        struct node *node;

        check(nodes->free); /* reserved before the change began */
        node = pop(nodes);
        nodes->live++;
        if (level)
                pad_all_inner(node_inner(node));
        else
                pad_all_leaf(node_leaf(node));
        node->level = (uint8_t)level;
        return node;
}

void node_free(struct usage_nodes *nodes, struct node *node)
{
        nodes->live--;
        if (nodes->free_count < USAGE_NODES_KEPT)
                push(nodes, node);
        else
                free(node);
}

static void move_entries(struct leaf *to, unsigned t, struct leaf *from, unsigned f, unsigned count)
{
        memmove(to->start + t, from->start + f, count * sizeof(*to->start));
        memmove(to->end + t, from->end + f, count * sizeof(*to->end));
        memmove(to->refs + t, from->refs + f, count * sizeof(*to->refs));
        memmove(to->committed + t, from->committed + f, count * sizeof(*to->committed));
        memmove(to->tags + t, from->tags + f, count * sizeof(*to->tags));
}

static void move_children(
        struct inner *to, unsigned t, struct inner *from, unsigned f, unsigned count)
{
        memmove(to->child + t, from->child + f, count * sizeof(struct node *));
        memmove(to->start + t, from->start + f, count * sizeof(*to->start));
        memmove(to->end + t, from->end + f, count * sizeof(*to->end));
        memmove(to->gap + t, from->gap + f, count * sizeof(*to->gap));
        memmove(to->aligned_gap + t, from->aligned_gap + f, count * sizeof(*to->aligned_gap));
        memmove(to->tags + t, from->tags + f, count * sizeof(*to->tags));
}

void node_move(
        struct node *to, unsigned to_index, struct node *from, unsigned from_index, unsigned count)
{
        if (!count)
                return;
        if (to->level)
                move_children(node_inner(to), to_index, node_inner(from), from_index, count);
        else
                move_entries(node_leaf(to), to_index, node_leaf(from), from_index, count);
}

/* ---- within a leaf --------------------------------------------------------------------------- */

/* Four places of a leaf, all columns. */
struct block {
        uint32_t start[4];
        uint32_t end[4];
        uint32_t refs[4];
        uint32_t committed[4];
        uint8_t tags[4];
};

static inline void move_block(struct leaf *leaf, unsigned to, unsigned from)
{
        struct block block;

        memcpy(block.start, leaf->start + from, sizeof(block.start));
        memcpy(block.end, leaf->end + from, sizeof(block.end));
        memcpy(block.refs, leaf->refs + from, sizeof(block.refs));
        memcpy(block.committed, leaf->committed + from, sizeof(block.committed));
        memcpy(block.tags, leaf->tags + from, sizeof(block.tags));
        memcpy(leaf->start + to, block.start, sizeof(block.start));
        memcpy(leaf->end + to, block.end, sizeof(block.end));
        memcpy(leaf->refs + to, block.refs, sizeof(block.refs));
        memcpy(leaf->committed + to, block.committed, sizeof(block.committed));
        memcpy(leaf->tags + to, block.tags, sizeof(block.tags));
}

static inline void move_entry(struct leaf *leaf, unsigned to, unsigned from)
{
        struct usage_entry entry = leaf_get(leaf, from);

        leaf_set(leaf, to, &entry);
}

/* Whole vectors at a time: five calls of memmove() take several times as long. */
void leaf_move(struct leaf *leaf, unsigned to, unsigned from, unsigned count)
{
        unsigned i;

        for (i = 0; i + 4 <= count; i += 4)
                move_block(leaf, to + i, from + i);
        for (; i < count; i++)
                move_entry(leaf, to + i, from + i);
}

void leaf_shift(struct leaf *leaf, unsigned from, unsigned to)
{
        unsigned count = leaf->node.count - from, i;

        if (to > from) {
                for (i = count; i >= 4; i -= 4)
                        move_block(leaf, to + i - 4, from + i - 4);
                while (i--)
                        move_entry(leaf, to + i, from + i);
                leaf->node.count = (uint16_t)(to + count);
        } else {
                leaf_move(leaf, to, from, count);
                node_set_count(&leaf->node, to + count);
        }
}

static void pad_leaf(struct leaf *leaf, unsigned from, unsigned to)
{
        static const struct usage_entry padding = {.end = NODE_PAD_END};

        for (; from < to; from++) {
                leaf_set(leaf, from, &padding);
                __asm__ volatile("" ::: "memory"); /* mostly one place: no five calls of memset() */
        }
}

static void pad_inner(struct inner *inner, unsigned from, unsigned to)
{
        static const struct usage_summary padding = {.end = NODE_PAD_END};

        for (; from < to; from++)
                inner_set(inner, from, NULL, &padding);
}

void node_set_count(struct node *node, unsigned count)
{
        if (node->level)
                pad_inner(node_inner(node), count, node->count);
        else
                pad_leaf(node_leaf(node), count, node->count);
        node->count = (uint16_t)count;
}
