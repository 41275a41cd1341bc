// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

/*
 * Changing what a range is, leaf by leaf. change_leaf() is made anew for each kind of change, so
 * that those that every request makes are loops without a call in them.
 */
#define INLINE static inline __attribute__((always_inline))

/* The part of an entry in [start, end): parts that cover it have its committed pages in sum. */
INLINE struct usage_entry cut(const struct usage_entry *entry, uint32_t start, uint32_t end)
{
        uint64_t pages = entry->end - entry->start, committed = entry->committed;
        struct usage_entry part = *entry;

        part.start = start;
        part.end = end;
        part.tags &= (uint8_t)~USAGE_SCANNING;
        if (!committed)
                return part;
        if (committed == pages) {
                part.committed = end - start;
                return part;
        }
        part.committed = (uint32_t)(committed * (end - entry->start) / pages -
                                    committed * (start - entry->start) / pages);
        part.tags |= USAGE_ESTIMATED;
        return part;
}

/* The entries that replace a run of a leaf's, merged as they are added. */
struct replacement {
        struct usage_entry entries[NODE_LEAF_MAX + 2];
        unsigned count;
        bool gaps; /* some were removed */
};

INLINE void replacement_add(struct replacement *out, const struct usage_entry *entry)
{
        if (out->count && entry_mergeable(&out->entries[out->count - 1], entry))
                entry_merge(&out->entries[out->count - 1], entry);
        else
                out->entries[out->count++] = *entry;
}

/* The part of the entry that is to be changed, all of which lies in the range. */
INLINE void change_part(struct usage_tree *tree, struct usage_entry *part, usage_change_fn *change,
        void *argument, struct replacement *out)
{
        struct usage_entry before = *part;

        totals_remove(&tree->totals, &before);
        if (!change(part, argument)) {
                out->gaps = true;
                return;
        }
        check(part->start == before.start && part->end == before.end &&
                part->committed <= part->end - part->start);
        part->tags &= (uint8_t)~USAGE_FREED;
        if (!part->refs)
                part->tags |= USAGE_FREED;
        totals_add(&tree->totals, part);
        replacement_add(out, part);
}

INLINE void change_entry(struct usage_tree *tree, struct usage_entry *entry, uint32_t start,
        uint32_t end, usage_change_fn *change, void *argument, struct replacement *out)
{
        uint32_t low = start > entry->start ? start : entry->start;
        uint32_t high = end < entry->end ? end : entry->end;
        struct usage_entry part;

        if (low == entry->start && high == entry->end) {
                change_part(tree, entry, change, argument, out);
                return;
        }
        if (entry->start < low) {
                part = cut(entry, entry->start, low);
                replacement_add(out, &part);
        }
        part = cut(entry, low, high);
        change_part(tree, &part, change, argument, out);
        if (high < entry->end) {
                part = cut(entry, high, entry->end);
                replacement_add(out, &part);
        }
}

/* Takes in the entries beside the run [*first, *last) of the leaf that now merge with it. */
INLINE void take_in_neighbours(
        const struct leaf *leaf, unsigned *first, unsigned *last, struct replacement *out)
{
        struct usage_entry neighbour;

        if (!out->count)
                return;
        if (*first) {
                neighbour = leaf_get(leaf, *first - 1);
                if (entry_mergeable(&neighbour, &out->entries[0])) {
                        entry_merge(&neighbour, &out->entries[0]);
                        out->entries[0] = neighbour;
                        --*first;
                }
        }
        if (*last < leaf->node.count) {
                neighbour = leaf_get(leaf, *last);
                if (entry_mergeable(&out->entries[out->count - 1], &neighbour)) {
                        entry_merge(&out->entries[out->count - 1], &neighbour);
                        ++*last;
                }
        }
}

/* Changes what of [start, end) is in the leaf of the path, which leads to `start`. Returns where it
 * got to. */
INLINE uint32_t change_leaf(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, usage_change_fn *change, void *argument)
{
        const struct leaf *leaf = node_leaf(path->node[0]);
        unsigned first = path->index[0], i = first;
        uint32_t reached, low, high = UINT32_MAX;
        struct replacement out;
        bool at_low_edge, at_high_edge;

        if (leaf->start[first] >= end)
                return end;
        out.count = 0;
        out.gaps = false;
        low = leaf->start[first];
        do {
                struct usage_entry entry = leaf_get(leaf, i);

                change_entry(tree, &entry, start, end, change, argument, &out);
        } while (++i < leaf->node.count && leaf->start[i] < end);
        reached = i < leaf->node.count ? end : leaf->end[i - 1];
        at_low_edge = !first && path_end_before(tree, path) == low;
        at_high_edge = i == leaf->node.count && path_start_after(tree, path) == reached;
        if (at_high_edge)
                high = reached;
        take_in_neighbours(leaf, &first, &i, &out);
        tree_splice(tree, path, first, i - first, out.entries, out.count, out.gaps);
        if (at_low_edge)
                tree_merge_at(tree, low);
        if (at_high_edge && high >= end)
                tree_merge_at(tree, high);
        return reached;
}

INLINE void change_range(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, usage_change_fn *change, void *argument)
{
        struct usage_path own;

        check(start < end && end <= tree->capacity);
        while (start < end && tree->root && start < tree->summary.end) {
                if (!path) {
                        path = &own;
                        path_seek(tree, start, path);
                }
                start = change_leaf(tree, path, start, end, change, argument);
                path = NULL;
        }
}

void usage_tree_change(struct usage_tree *tree, uint32_t start, uint32_t end,
        usage_change_fn *change, void *argument)
{
        change_range(tree, NULL, start, end, change, argument);
}

/* ---- the changes that requests make ---------------------------------------------------------- */

INLINE bool incref(struct usage_entry *entry, void *argument)
{
        (void)argument;
        check(entry->refs < UINT32_MAX);
        entry->refs++;
        return true;
}

void tree_change_incref(
        struct usage_tree *tree, struct usage_path *path, uint32_t start, uint32_t end)
{
        change_range(tree, path, start, end, incref, NULL);
}

INLINE bool decrease(struct usage_entry *entry, void *argument)
{
        uint32_t refs = *(uint32_t *)argument;

        check(entry->refs >= refs);
        entry->refs -= refs;
        return entry->refs > 0;
}

void tree_change_decrease(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs)
{
        change_range(tree, path, start, end, decrease, &refs);
}

INLINE bool decref(struct usage_entry *entry, void *argument)
{
        if (!decrease(entry, argument))
                entry->tags &= (uint8_t)~USAGE_KIND_MASK;
        return true;
}

void tree_change_decref(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs)
{
        change_range(tree, path, start, end, decref, &refs);
}
