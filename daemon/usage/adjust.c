// SPDX-License-Identifier: Apache-2.0
#include "usage/node.h"

#include "base/check.h"

/*
 * The short way of adding references to a range, or taking them away: where all of it lies in one
 * leaf and what happens happens at its two edges. For if every page keeps a reference, entries in
 * the range that could not be merged before cannot be now: their references differ by as much as
 * they did, and so do their kinds. Only the outermost ones are cut, or merge with what lies beside
 * the range. The same holds for a single entry, whatever becomes of it.
 */
struct adjustment {
        struct leaf *leaf;
        unsigned first, last; /* the entries that the range touches */
        bool cut_low, cut_high;
        bool join_low, join_high;
        uint8_t tags; /* all that are there before and will be after, or-ed */
};

/* ---- at an edge ------------------------------------------------------------------------------ */

/* Whether its parts are estimates, if it is cut. */
static inline bool cut_estimates(const struct leaf *leaf, unsigned i)
{
        return leaf->committed[i] && leaf->committed[i] != leaf->end[i] - leaf->start[i];
}

/* Cuts the entry at `page`; place i + 1 is free. In proportion; see usage_tree.h. */
static void cut_at(struct leaf *leaf, unsigned i, uint32_t page)
{
        struct usage_entry high = leaf_get(leaf, i);
        uint64_t pages = high.end - high.start, committed = high.committed;

        high.tags &= (uint8_t)~USAGE_SCANNING;
        if (cut_estimates(leaf, i))
                high.tags |= USAGE_ESTIMATED;
        leaf->tags[i] = high.tags;
        if (committed) {
                leaf->committed[i] = (uint32_t)(committed * (page - high.start) / pages);
                high.committed -= leaf->committed[i];
        }
        leaf->end[i] = high.start = page;
        leaf_set(leaf, i + 1, &high);
}

/* Takes the entry at place i + 1 into that at place i, which it touches. */
static void join(struct leaf *leaf, unsigned i)
{
        leaf->end[i] = leaf->end[i + 1];
        leaf->committed[i] += leaf->committed[i + 1];
        leaf->tags[i] = (uint8_t)((leaf->tags[i] | leaf->tags[i + 1]) & ~USAGE_SCANNING);
        leaf_shift(leaf, i + 2, i + 1);
}

/* ---- what is to be done ---------------------------------------------------------------------- */

/* What becomes of an entry, which has as many references. */
static inline uint32_t refs_after(const struct leaf *leaf, unsigned i, int64_t change)
{
        return (uint32_t)(leaf->refs[i] + change);
}

static inline uint8_t tags_after(const struct leaf *leaf, unsigned i, int64_t change)
{
        uint8_t tags = leaf->tags[i];

        if (refs_after(leaf, i, change))
                return tags;
        return (uint8_t)((tags & ~USAGE_KIND_MASK) | USAGE_FREED);
}

/* Whether place i is like what the entry at place j, beside it, is about to become. */
static inline bool becomes_like(const struct leaf *leaf, unsigned i, unsigned j, int64_t change)
{
        return leaf->refs[i] == refs_after(leaf, j, change) &&
               !((leaf->tags[i] ^ tags_after(leaf, j, change)) & USAGE_KIND_MASK);
}

static inline void plan(struct adjustment *ret, const struct usage_path *path, uint32_t start,
        uint32_t end, int64_t change)
{
        struct leaf *leaf = node_leaf(path->node[0]);
        unsigned first = path->index[0], last = first + path->run - 1;

        ret->leaf = leaf;
        ret->first = first;
        ret->last = last;
        ret->cut_low = leaf->start[first] < start;
        ret->cut_high = leaf->end[last] > end;
        ret->join_low = first && leaf->end[first - 1] == start &&
                        becomes_like(leaf, first - 1, first, change);
        ret->join_high = last + 1u < leaf->node.count && leaf->start[last + 1] == end &&
                         becomes_like(leaf, last + 1, last, change);
        ret->tags = leaf->tags[first] | leaf->tags[last] | tags_after(leaf, first, change);
        if (ret->join_low)
                ret->tags |= leaf->tags[first - 1];
        if (ret->join_high)
                ret->tags |= leaf->tags[last + 1];
        if ((ret->cut_low && cut_estimates(leaf, first)) ||
                (ret->cut_high && cut_estimates(leaf, last)))
                ret->tags |= USAGE_ESTIMATED;
}

/* Whether it is one of the simple cases, the leaf has room, and will not be too empty. */
static inline bool is_short(
        const struct usage_tree *tree, const struct adjustment *a, int64_t change)
{
        unsigned after = (unsigned)a->leaf->node.count + a->cut_low + a->cut_high;

        if (after > tree->nodes->leaf_max)
                return false;
        if (tree->height && after < node_minimum(tree->nodes, 0) + a->join_low + a->join_high)
                return false;
        if (change < 0 && a->first < a->last)
                for (unsigned i = a->first; i <= a->last; i++)
                        if (!refs_after(a->leaf, i, change))
                                return false;
        return true;
}

/* ---- doing it -------------------------------------------------------------------------------- */

static void free_entry(struct usage_tree *tree, struct leaf *leaf, unsigned i)
{
        struct usage_entry entry = leaf_get(leaf, i);

        totals_remove(&tree->totals, &entry);
        entry.tags = (uint8_t)((entry.tags & ~USAGE_KIND_MASK) | USAGE_FREED);
        totals_add(&tree->totals, &entry);
        leaf->refs[i] = 0;
        leaf->tags[i] = entry.tags;
}

static inline void carry_out(struct usage_tree *tree, const struct adjustment *a, uint32_t start,
        uint32_t end, int64_t change)
{
        struct leaf *leaf = a->leaf;
        unsigned first = a->first + a->cut_low, last = a->last + a->cut_low;

        if (a->cut_high) {
                leaf_shift(leaf, a->last + 1, a->last + 2);
                cut_at(leaf, a->last, end);
        }
        if (a->cut_low) {
                leaf_shift(leaf, a->first + 1, a->first + 2);
                cut_at(leaf, a->first, start);
        }
        if (!refs_after(leaf, first, change))
                free_entry(tree, leaf, first);
        else
                for (unsigned i = first; i <= last; i++)
                        leaf->refs[i] = refs_after(leaf, i, change);
        if (a->join_high)
                join(leaf, last);
        if (a->join_low)
                join(leaf, first - 1);
        tree->totals.entries +=
                (uint64_t)a->cut_low + a->cut_high - (uint64_t)a->join_low - a->join_high;
}

bool tree_adjust(struct usage_tree *tree, const struct usage_path *path, uint32_t start,
        uint32_t end, int64_t change)
{
        struct adjustment a;
        bool at_low_edge, at_high_edge;

        if (!path->run)
                return false;
        plan(&a, path, start, end, change);
        if (!is_short(tree, &a, change))
                return false;
        at_low_edge = !a.first && !a.cut_low && path_end_before(tree, path) == start;
        at_high_edge = a.last + 1u == a.leaf->node.count && !a.cut_high &&
                       path_start_after(tree, path) == end;
        carry_out(tree, &a, start, end, change);
        /* Only that mark can get lost on this way; see join() and cut_at(). */
        if (a.tags & USAGE_SCANNING)
                summary_set_tags(tree, path, leaf_tags(a.leaf));
        else if (a.tags & NODE_TAGS)
                summary_set_tags(
                        tree, path, summary_known(tree, path, 0).tags | (a.tags & NODE_TAGS));
        if (at_low_edge)
                tree_merge_at(tree, start);
        if (at_high_edge)
                tree_merge_at(tree, end);
        return true;
}
