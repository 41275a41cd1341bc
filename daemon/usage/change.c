// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

static bool mergeable(const struct usage_entry *low, const struct usage_entry *high)
{
        return low->end == high->start && low->refs == high->refs &&
               usage_entry_kind(low) == usage_entry_kind(high);
}

/* Makes one of two; what was being counted is no longer what it was. */
static void merge(struct usage_entry *low, const struct usage_entry *high)
{
        low->end = high->end;
        low->committed += high->committed;
        low->tags = (uint8_t)((low->tags | high->tags) & ~USAGE_SCANNING);
}

/* The part of an entry in [start, end): parts that cover it have its committed pages in sum. */
static struct usage_entry cut(const struct usage_entry *entry, uint32_t start, uint32_t end)
{
        uint64_t pages = entry->end - entry->start, committed = entry->committed;
        struct usage_entry part = *entry;

        if (start == entry->start && end == entry->end)
                return part;
        part.start = start;
        part.end = end;
        part.committed = (uint32_t)(committed * (end - entry->start) / pages -
                                    committed * (start - entry->start) / pages);
        part.tags &= (uint8_t)~USAGE_SCANNING;
        if (committed && committed != pages)
                part.tags |= USAGE_ESTIMATED;
        return part;
}

/* The entries that replace a run of a leaf's, merged as they are added. */
struct replacement {
        struct usage_entry entries[NODE_LEAF_MAX + 2];
        unsigned count;
};

static void replacement_add(struct replacement *out, const struct usage_entry *entry)
{
        if (out->count && mergeable(&out->entries[out->count - 1], entry))
                merge(&out->entries[out->count - 1], entry);
        else
                out->entries[out->count++] = *entry;
}

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

/* Merges the entries that meet at `page`, if they may be, wherever in the tree they lie. */
static void merge_at(struct usage_tree *tree, uint32_t page)
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
        if (!mergeable(&low, &high))
                return;
        merge(&low, &high);
        if (path.index[0]) {
                tree_splice(tree, &path, before.index[0], 2, &low, 1);
                return;
        }
        tree_splice(tree, &path, 0, 1, NULL, 0);
        path_seek(tree, low.start, &before);
        tree_splice(tree, &before, before.index[0], 1, &low, 1);
}

static void plant(struct usage_tree *tree, const struct usage_entry *entry)
{
        struct usage_path path = {0};

        tree->root = node_new(tree->nodes, 0);
        tree->height = 0;
        path.node[0] = tree->root;
        tree_splice(tree, &path, 0, 0, entry, 1);
}

void usage_tree_insert(struct usage_tree *tree, const struct usage_entry *added)
{
        struct usage_entry entry = *added, neighbour;
        struct usage_path path;
        struct leaf *leaf;
        unsigned index, remove = 0;
        bool at_edge;

        check(entry.start < entry.end && entry.end <= tree->capacity);
        if (!tree->root) {
                plant(tree, &entry);
                return;
        }
        path_seek(tree, entry.start, &path);
        leaf = node_leaf(path.node[0]);
        index = path.index[0];
        at_edge = !index && path.end_before == entry.start && entry.start;
        if (index < leaf->node.count) {
                neighbour = leaf_get(leaf, index);
                check(neighbour.start >= entry.end);
                if (mergeable(&entry, &neighbour)) {
                        merge(&entry, &neighbour);
                        remove++;
                }
        }
        if (index) {
                neighbour = leaf_get(leaf, index - 1);
                if (mergeable(&neighbour, &entry)) {
                        merge(&neighbour, &entry);
                        entry = neighbour;
                        index--;
                        remove++;
                }
        }
        tree_splice(tree, &path, index, remove, &entry, 1);
        if (at_edge)
                merge_at(tree, added->start);
}

static void apply(const struct usage_entry *entry, uint32_t start, uint32_t end,
        usage_change_fn *change, void *argument, struct replacement *out)
{
        uint32_t low = start > entry->start ? start : entry->start;
        uint32_t high = end < entry->end ? end : entry->end;
        struct usage_entry part;

        if (entry->start < low) {
                part = cut(entry, entry->start, low);
                replacement_add(out, &part);
        }
        part = cut(entry, low, high);
        if (change(&part, argument)) {
                check(part.start == low && part.end == high && part.committed <= high - low);
                part.tags &= (uint8_t)~USAGE_FREED;
                if (!part.refs)
                        part.tags |= USAGE_FREED;
                replacement_add(out, &part);
        }
        if (high < entry->end) {
                part = cut(entry, high, entry->end);
                replacement_add(out, &part);
        }
}

/* What usage_tree_change() does in the leaf that holds `start`. Returns where it got to. */
static uint32_t change_leaf(struct usage_tree *tree, uint32_t start, uint32_t end,
        usage_change_fn *change, void *argument)
{
        struct replacement out;
        struct usage_path path;
        struct usage_entry entry;
        struct leaf *leaf;
        unsigned i, first;
        uint32_t reached, edge_before = UINT32_MAX, edge_after = UINT32_MAX;

        out.count = 0;
        path_seek(tree, start, &path);
        leaf = node_leaf(path.node[0]);
        i = first = path.index[0];
        if (leaf->start[i] >= end)
                return end;
        if (!first && path.end_before == leaf->start[0])
                edge_before = leaf->start[0];
        if (first) {
                entry = leaf_get(leaf, --first);
                replacement_add(&out, &entry);
        }
        for (; i < leaf->node.count && leaf->start[i] < end; i++) {
                entry = leaf_get(leaf, i);
                apply(&entry, start, end, change, argument, &out);
        }
        reached = leaf->end[i - 1];
        if (i < leaf->node.count) {
                entry = leaf_get(leaf, i++);
                replacement_add(&out, &entry);
                reached = end;
        } else if (path.start_after == reached) {
                edge_after = reached;
        }
        tree_splice(tree, &path, first, i - first, out.entries, out.count);
        if (edge_before != UINT32_MAX)
                merge_at(tree, edge_before);
        if (edge_after != UINT32_MAX && edge_after >= end)
                merge_at(tree, edge_after);
        return reached;
}

void usage_tree_change(struct usage_tree *tree, uint32_t start, uint32_t end,
        usage_change_fn *change, void *argument)
{
        check(start < end && end <= tree->capacity);
        while (start < end && tree->root && start < tree->summary.end)
                start = change_leaf(tree, start, end, change, argument);
}
