// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usage/usage_tree.h"

#include <string.h>

/*
 * The nodes of a usage tree: a B+tree whose entries are in its leaves, column by column, so that a
 * search reads only the column it needs and an entry takes 17 bytes.
 *
 * An inner node keeps beside each child what a search has to know of it without going there:
 *
 *     start, end    the first page of its first entry, the end of its last
 *     gap           the longest gap between two entries in it
 *     aligned_gap   the longest such gap, counted from the first hugepage boundary in it
 *     tags          the NODE_TAGS of all its entries, or-ed
 *
 * The gaps before, between and after children follow from start and end, so a change in one leaf
 * never touches the node beside it, only those above it.
 *
 * The places beyond `count` are padding: the end of a padded place is above every page, all else in
 * it is zero. So a search and a sum go through a whole column, whatever the count: a loop of fixed
 * length over whole vectors is several times faster than one that has to know when to end. Pages
 * stay below 2^31 (POOL_PAGES_MAX), so that they may be compared and subtracted as signed numbers,
 * which is what vectors of every machine can do.
 */
#define NODE_SIZE      1024
#define NODE_LEAF_MAX  60
#define NODE_INNER_MAX 40
#define NODE_PAD_END   ((uint32_t)INT32_MAX)

/* The tags that are searched for: those of them that inner nodes keep. Kinds are not. */
#define NODE_TAGS (USAGE_FREED | USAGE_ESTIMATED | USAGE_SCANNING)

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
        uint32_t start[NODE_INNER_MAX];
        uint32_t end[NODE_INNER_MAX];
        uint32_t gap[NODE_INNER_MAX];
        uint32_t aligned_gap[NODE_INNER_MAX];
        uint8_t tags[NODE_INNER_MAX];
        struct node *child[NODE_INNER_MAX];
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

/* Moves entries of a leaf down, `to` below `from`. */
void leaf_move(struct leaf *leaf, unsigned to, unsigned from, unsigned count);

/* The entries of a leaf from `from` on are now from `to` on. Sets the count. */
void leaf_shift(struct leaf *leaf, unsigned from, unsigned to);

/* Sets the count, and makes what lies beyond it padding. Above it, the caller has set what is new.
 */
void node_set_count(struct node *node, unsigned count);

/*
 * Has the memory of a node on its way before it is looked at: all lines at once, instead of one
 * after the other as a search and what follows it come to them.
 */
static inline void node_prefetch(const struct node *node)
{
        for (size_t line = 0; line < NODE_SIZE; line += 64)
                __builtin_prefetch((const char *)node + line);
}

/* ---- searching a node ------------------------------------------------------------------------ */

/*
 * Four places of a column at once. Spelled out where a loop is short, for compilers make as many
 * scalars of it: this is what gcc and clang have for every machine.
 */
typedef uint32_t quad __attribute__((vector_size(16)));
typedef int32_t signed_quad __attribute__((vector_size(16)));

static inline quad quad_load(const uint32_t *column)
{
        quad four;

        memcpy(&four, column, sizeof(four));
        return four;
}

static inline bool quad_any_negative(quad four)
{
        uint64_t halves[2];

        memcpy(halves, &four, sizeof(halves));
        return (halves[0] | halves[1]) & UINT64_C(0x8000000080000000);
}

/* Of small numbers. */
static inline unsigned quad_sum(quad four)
{
        uint64_t halves[2];

        memcpy(halves, &four, sizeof(halves));
        halves[0] += halves[1];
        return (unsigned)(halves[0] + (halves[0] >> 32));
}

/* Which of the four is the first: one of them is. */
static inline unsigned quad_first_negative(quad four)
{
        const quad bits = {1, 2, 4, 8};

        return (unsigned)__builtin_ctz(quad_sum((quad)((signed_quad)four < 0) & bits));
}

/*
 * How many of the ends are at or below the page: ascending, so it is the place of the first above.
 * Without a branch that could be guessed wrong: which sixteen of them matter, then all of these.
 */
#define NODE_SEARCH 16

static inline unsigned search_from(const uint32_t *ends, unsigned base, uint32_t page)
{
        signed_quad pages = (signed_quad){0} + (int32_t)page;
        quad above = {0};

        for (unsigned i = base; i < base + NODE_SEARCH; i += 4)
                above -= (quad)((signed_quad)quad_load(ends + i) > pages);
        return base + NODE_SEARCH - quad_sum(above);
}

static inline unsigned leaf_search(const struct leaf *leaf, uint32_t page)
{
        const uint32_t *end = leaf->end;
        unsigned base = 0;

        base += end[15] <= page ? 16 : 0;
        base += end[31] <= page ? 16 : 0;
        base += end[47] <= page ? NODE_LEAF_MAX - 3 * 16 : 0;
        return search_from(end, base, page);
}

static inline unsigned inner_search(const struct inner *inner, uint32_t page)
{
        const uint32_t *end = inner->end;
        unsigned base = 0;

        base += end[15] <= page ? 16 : 0;
        base += end[31] <= page ? NODE_INNER_MAX - 2 * 16 : 0;
        return search_from(end, base, page);
}

/* ---- summary.c ------------------------------------------------------------------------------- */

static inline uint32_t page_round_up(uint32_t page, uint32_t alignment)
{
        return (page + alignment - 1) & ~(alignment - 1);
}

/*
 * The part of the gap [start, end) that begins at a hugepage boundary; 0 if it is shorter than a
 * hugepage, which no aligned search asks for: so what is known of a node does not depend on gaps
 * that changed without a look at their aligned parts.
 */
static inline uint32_t gap_aligned(uint32_t start, uint32_t end, uint32_t alignment)
{
        uint32_t aligned = page_round_up(start, alignment);

        return aligned + alignment <= end ? end - aligned : 0;
}

/* What an inner node keeps of this node, computed anew. The node is not empty. */
struct usage_summary node_summary(const struct usage_tree *tree, const struct node *node);

/* The NODE_TAGS of all entries of a leaf, and the longest gap between two. */
uint8_t leaf_tags(const struct leaf *leaf);
uint32_t leaf_gap(const struct leaf *leaf);

struct usage_summary inner_get(const struct inner *inner, unsigned i);
void inner_set(
        struct inner *inner, unsigned i, struct node *child, const struct usage_summary *summary);

/* What the place above node[level] of the path, or the tree of its root, says of it. */
struct usage_summary summary_known(
        const struct usage_tree *tree, const struct usage_path *path, unsigned level);

/* Says there what it is now, and brings what is above up to date, as far up as it changes. */
void summary_set(struct usage_tree *tree, const struct usage_path *path, unsigned level,
        struct usage_summary now);

/* The same, where nothing but the end of the leaf has changed. */
void summary_set_end(struct usage_tree *tree, const struct usage_path *path, uint32_t end);

/* The same, from what is in node[level] of the path. */
void summary_propagate(struct usage_tree *tree, const struct usage_path *path, unsigned level);

/* The same, where nothing but the tags of the leaf may have changed; they are these now. */
void summary_set_tags(struct usage_tree *tree, const struct usage_path *path, uint8_t tags);

/* ---- splice.c -------------------------------------------------------------------------------- */

/*
 * The one way in which a tree changes: in the leaf of the path, `remove` entries from place `index`
 * on are replaced by `count` others. Splits and joins nodes as needed and keeps summaries, and the
 * total of entries; the other totals are the caller's. `gaps`: whether pages are in an entry now
 * that were in none, or the other way round. The path is no longer valid then. Takes nodes only if
 * count > remove, at most height + 2.
 */
void tree_splice(struct usage_tree *tree, struct usage_path *path, unsigned index, unsigned remove,
        const struct usage_entry *entries, unsigned count, bool gaps);

/* Adds `sign` times what an entry, or part of one, has of pages and committed pages. */
static inline void totals_count(
        struct usage_totals *totals, const struct usage_entry *entry, uint64_t sign)
{
        /* Sums are modulo 2^64 on the way, and right at the end. */
        uint64_t pages = sign * (entry->end - entry->start);
        uint64_t committed = sign * entry->committed;

        if (entry->tags & USAGE_FREED) {
                totals->freed += pages;
                totals->freed_committed += committed;
        } else {
                totals->pages[usage_entry_kind(entry)] += pages;
                totals->committed[usage_entry_kind(entry)] += committed;
        }
}

static inline void totals_add(struct usage_totals *totals, const struct usage_entry *entry)
{
        totals_count(totals, entry, 1);
}

static inline void totals_remove(struct usage_totals *totals, const struct usage_entry *entry)
{
        totals_count(totals, entry, (uint64_t)-1);
}

/* ---- usage_tree.c ---------------------------------------------------------------------------- */

/*
 * The path to the first entry that ends above `page`; if there is none, to behind the last entry.
 * The tree is not empty.
 */
void path_seek(const struct usage_tree *tree, uint32_t page, struct usage_path *path);

/*
 * The page where the last entry before the leaf of the path ends, and where the first one after it
 * starts: 0 and UINT32_MAX if there is none.
 */
uint32_t path_end_before(const struct usage_tree *tree, const struct usage_path *path);
uint32_t path_start_after(const struct usage_tree *tree, const struct usage_path *path);

/* ---- change.c -------------------------------------------------------------------------------- */

/* What references.c does, for every case. path: to `start`. */
void tree_change_incref(
        struct usage_tree *tree, struct usage_path *path, uint32_t start, uint32_t end);
void tree_change_decref(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs);
void tree_change_decrease(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs);

/* ---- adjust.c -------------------------------------------------------------------------------- */

/*
 * `change` references more, or fewer, on every page of [start, end); path: of usage_tree_locate().
 * Does what can be done in one leaf, at the edges of the range. Returns false, with nothing
 * changed, if that is not enough.
 */
bool tree_adjust(struct usage_tree *tree, const struct usage_path *path, uint32_t start,
        uint32_t end, int64_t change);

/* ---- insert.c -------------------------------------------------------------------------------- */

/* The first entry of an empty tree. */
void tree_plant(struct usage_tree *tree, const struct usage_entry *entry);

/* Puts an entry where the path leads, in a gap, and merges it with what it touches. */
void tree_insert_at(
        struct usage_tree *tree, struct usage_path *path, const struct usage_entry *entry);

/* ---- merge.c --------------------------------------------------------------------------------- */

static inline bool entry_mergeable(const struct usage_entry *low, const struct usage_entry *high)
{
        return low->end == high->start && low->refs == high->refs &&
               usage_entry_kind(low) == usage_entry_kind(high);
}

/* Makes one of two; what was being counted is no longer what it was. */
static inline void entry_merge(struct usage_entry *low, const struct usage_entry *high)
{
        low->end = high->end;
        low->committed += high->committed;
        low->tags = (uint8_t)((low->tags | high->tags) & ~USAGE_SCANNING);
}

/* Merges the entries that meet at `page`, if they may be, wherever in the tree they lie. */
void tree_merge_at(struct usage_tree *tree, uint32_t page);
