// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

/*
 * Giving and taking references, as requests do. Nearly all of it is one of three cases that end
 * within a leaf, with neighbours there on both sides, and of which nothing above has to know:
 *
 *      cut_out      one more on a part of what is the same all around it
 *      melt_in      one less, so that it becomes the same as what is around it
 *      free_whole   none left on an entry
 *
 * These are here, and as short as can be. The others take the way of tree_adjust(), where there is
 * a case for each edge, or, beyond one leaf, that of tree_change_*().
 */
#define INLINE static inline __attribute__((always_inline))

/* A range of entries of a leaf. */
struct run {
        struct leaf *leaf;
        unsigned first, last;
};

INLINE bool is_marked(uint8_t tags)
{
        return tags & USAGE_SCANNING;
}

/* Whether all pages of the entry are committed, or none, and nobody is counting them. */
INLINE bool is_plain(const struct leaf *leaf, unsigned i)
{
        uint32_t committed = leaf->committed[i];

        return !is_marked(leaf->tags[i]) &&
               (!committed || committed == leaf->end[i] - leaf->start[i]);
}

/* Whether an entry would be left without references: never, if there are more of them. */
INLINE bool frees_any(struct run run, int64_t change)
{
        if (change > 0)
                return false;
        for (unsigned i = run.first; i <= run.last; i++)
                if (!(uint32_t)(run.leaf->refs[i] + change))
                        return true;
        return false;
}

/* The entry at place `from` is at place `to` now, with other references. */
INLINE void move_changed(struct leaf *leaf, unsigned to, unsigned from, int64_t change)
{
        struct usage_entry entry = leaf_get(leaf, from);

        entry.refs = (uint32_t)(entry.refs + change);
        leaf_set(leaf, to, &entry);
}

/* Two copies of one plain entry become its parts below the page and above it. */
INLINE void part_at(struct leaf *leaf, unsigned low, uint32_t page)
{
        leaf->end[low] = leaf->start[low + 1] = page;
        if (leaf->committed[low]) {
                leaf->committed[low] = page - leaf->start[low];
                leaf->committed[low + 1] = leaf->end[low + 1] - page;
        }
}

INLINE bool cut_out(
        struct usage_tree *tree, struct run run, uint32_t start, uint32_t end, int64_t change)
{
        struct leaf *leaf = run.leaf;
        struct usage_entry high;

        if (leaf->node.count + 2u > tree->nodes->leaf_max || !is_plain(leaf, run.first) ||
                !is_plain(leaf, run.last) || frees_any(run, change))
                return false;
        high = leaf_get(leaf, run.last);
        if (run.last + 1 < leaf->node.count)
                leaf_shift(leaf, run.last + 1, run.last + 3);
        else
                leaf->node.count = (uint16_t)(leaf->node.count + 2);
        leaf_set(leaf, run.last + 2, &high);
        for (unsigned i = run.last + 1; i-- > run.first;)
                move_changed(leaf, i + 1, i, change);
        part_at(leaf, run.last + 1, end);
        part_at(leaf, run.first, start);
        tree->totals.entries += 2;
        return true;
}

/* Whether the entry at place i touches that at place j, and will be the same. */
INLINE bool will_be_like(const struct leaf *leaf, unsigned i, unsigned j, int64_t change)
{
        return (uint32_t)(leaf->refs[j] + change) == leaf->refs[i] &&
               !((leaf->tags[i] ^ leaf->tags[j]) & USAGE_KIND_MASK);
}

/* The entry at place i takes in that behind it, or that before it, which it touches. */
INLINE void absorb_next(struct leaf *leaf, unsigned i)
{
        leaf->end[i] = leaf->end[i + 1];
        leaf->committed[i] += leaf->committed[i + 1];
        leaf->tags[i] |= leaf->tags[i + 1];
}

INLINE void absorb_previous(struct leaf *leaf, unsigned i)
{
        leaf->start[i] = leaf->start[i - 1];
        leaf->committed[i] += leaf->committed[i - 1];
        leaf->tags[i] |= leaf->tags[i - 1];
}

/* Whether a leaf may lose as many entries. */
INLINE bool can_lose(const struct usage_tree *tree, const struct leaf *leaf, unsigned entries)
{
        return !tree->height || leaf->node.count >= node_minimum(tree->nodes, 0) + entries;
}

INLINE bool melt_in(struct usage_tree *tree, struct run run, int64_t change)
{
        struct leaf *leaf = run.leaf;
        unsigned first = run.first, last = run.last, low = first - 1, high = last + 1;

        if (leaf->end[low] != leaf->start[first] || leaf->start[high] != leaf->end[last] ||
                !will_be_like(leaf, low, first, change) ||
                !will_be_like(leaf, high, last, change) || frees_any(run, change) ||
                is_marked(leaf->tags[low] | leaf->tags[first] | leaf->tags[last] |
                          leaf->tags[high]) ||
                !can_lose(tree, leaf, 2))
                return false;
        if (first == last) {
                absorb_next(leaf, first);
                absorb_next(leaf, low);
                leaf_shift(leaf, high + 1, first);
        } else {
                absorb_next(leaf, low);
                absorb_previous(leaf, high);
                for (unsigned i = first + 1; i < last; i++)
                        move_changed(leaf, i - 1, i, change);
                leaf_shift(leaf, high, last - 1);
        }
        tree->totals.entries -= 2;
        return true;
}

/* Of an entry with neighbours in the leaf. What of them is freed and touches it, it becomes one
 * with. */
INLINE bool free_whole(
        struct usage_tree *tree, const struct usage_path *path, struct leaf *leaf, unsigned i)
{
        struct usage_entry entry = leaf_get(leaf, i);
        bool low = leaf->tags[i - 1] & USAGE_FREED && leaf->end[i - 1] == entry.start;
        bool high = leaf->tags[i + 1] & USAGE_FREED && leaf->start[i + 1] == entry.end;

        if (is_marked(entry.tags) || (low && is_marked(leaf->tags[i - 1])) ||
                (high && is_marked(leaf->tags[i + 1])) || !can_lose(tree, leaf, 2))
                return false;
        totals_remove(&tree->totals, &entry);
        entry.tags = (uint8_t)((entry.tags & ~USAGE_KIND_MASK) | USAGE_FREED);
        totals_add(&tree->totals, &entry);
        leaf->refs[i] = 0;
        leaf->tags[i] = entry.tags;
        if (high)
                absorb_next(leaf, i);
        if (low)
                absorb_next(leaf, i - 1);
        if (low || high)
                leaf_shift(leaf, i + 1 + high, i + 1 - low);
        else
                summary_set_tags(tree, path, summary_known(tree, path, 0).tags | USAGE_FREED);
        tree->totals.entries -= (uint64_t)low + high;
        return true;
}

/* frees: whether an entry without references stays as a freed one. */
INLINE bool change_shortly(struct usage_tree *tree, const struct usage_path *path, uint32_t start,
        uint32_t end, int64_t change)
{
        struct run run = {
                .leaf = node_leaf(path->node[0]),
                .first = path->index[0],
                .last = path->index[0] + path->run - 1,
        };
        bool cut_low, cut_high;

        if (!path->run)
                return false;
        cut_low = run.leaf->start[run.first] < start;
        cut_high = run.leaf->end[run.last] > end;
        if (cut_low || cut_high)
                return cut_low && cut_high && cut_out(tree, run, start, end, change);
        if (!run.first || run.last + 1 >= run.leaf->node.count)
                return false;
        if (change < 0 && run.first == run.last && !(uint32_t)(run.leaf->refs[run.first] + change))
                return free_whole(tree, path, run.leaf, run.first);
        return melt_in(tree, run, change);
}

/* The path to `start`, which the caller of the tree may have had no reason to look for. */
INLINE struct usage_path *locate(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, struct usage_path *own)
{
        uint32_t most;

        if (path)
                return path;
        check(usage_tree_locate(tree, start, end, own, &most));
        return own;
}

void usage_tree_incref(
        struct usage_tree *tree, struct usage_path *path, uint32_t start, uint32_t end)
{
        struct usage_path own;

        path = locate(tree, path, start, end, &own);
        if (!change_shortly(tree, path, start, end, 1) && !tree_adjust(tree, path, start, end, 1))
                tree_change_incref(tree, path, start, end);
}

void usage_tree_decref(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs)
{
        int64_t change = -(int64_t)refs;
        struct usage_path own;

        path = locate(tree, path, start, end, &own);
        if (!change_shortly(tree, path, start, end, change) &&
                !tree_adjust(tree, path, start, end, change))
                tree_change_decref(tree, path, start, end, refs);
}

void usage_tree_decrease(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs)
{
        int64_t change = -(int64_t)refs;
        struct usage_path own;

        path = locate(tree, path, start, end, &own);
        /* What would be freed is removed here: not by a short way. */
        if (node_leaf(path->node[0])->refs[path->index[0]] == refs ||
                (!change_shortly(tree, path, start, end, change) &&
                        !tree_adjust(tree, path, start, end, change)))
                tree_change_decrease(tree, path, start, end, refs);
}
