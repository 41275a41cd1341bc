// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usage/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The usage tree: page ranges to {kind, references, committed pages}.
 *
 *      pages  0        4     6           12       15
 *             +--------+     +-----------+--------+
 *             | Anon 1 |     | PageC. 2  | Anon 1 |      an entry for each, none for the gap [4, 6)
 *             +--------+     +-----------+--------+
 *
 *      one reference more on [2, 4) cuts an entry in two; giving it back makes them one again:
 *
 *             +----+----+                                +---------+
 *             |A 1 |A 2 |             ->                 | Anon 1  |
 *             +----+----+                                +---------+
 *
 * Entries are disjoint and not empty, and always maximally merged: no two that touch have the same
 * kind and references. Pages without an entry are not allocated. An entry without references is
 * freed: it waits for its pages to be given back, and is no gap yet.
 *
 * An entry has a count of committed pages, not their places. When it is cut the count is divided in
 * proportion, the sum stays, and the parts are marked as estimated unless none or all of the pages
 * were committed. A scan makes them exact again.
 *
 * The same structure keeps what a session holds: there an entry's references are how often the
 * session holds the range, the kind is that of the range, and committed stays zero.
 *
 * Pure: no lock, clock, log or system call. Not thread safe: the pool's lock guards it. Offsets are
 * page numbers, lengths are pages. Everything is O(log n), plus what is said.
 */

/* Bits of usage_entry.tags beside the kind. */
#define USAGE_KIND_MASK 0x07u
#define USAGE_FREED     0x08u /* no references */
#define USAGE_ESTIMATED 0x10u /* committed was divided when a range was cut */
#define USAGE_SCANNING                                                                             \
        0x20u /* counted right now; gone when the entry changes its extent or contents */

struct usage_entry {
        uint32_t start;
        uint32_t end;
        uint32_t refs;
        uint32_t committed;
        uint8_t tags; /* kind | USAGE_... */
};

static inline enum kind usage_entry_kind(const struct usage_entry *entry)
{
        return (enum kind)(entry->tags & USAGE_KIND_MASK);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct node;
struct usage_free_node;

#define NODE_LEVELS_MAX 32

/*
 * Where trees get their nodes from; the trees of one pool share one. An operation is preceded by a
 * reservation of all that it may need, so that it either fails before it changes anything or not at
 * all. Footprint: (live + free_count) nodes of 1 KiB.
 */
struct usage_nodes {
        struct usage_free_node *free;
        size_t free_count;
        size_t live;
        unsigned leaf_max;  /* entries of a leaf and children of an inner node: small in tests, */
        unsigned inner_max; /* so that splits and joins happen all the time */
};

void usage_nodes_init(struct usage_nodes *nodes);

/* The same with tiny nodes, for tests: 4 <= leaf_max <= 60, 4 <= inner_max <= 40. */
void usage_nodes_init_small(struct usage_nodes *nodes, unsigned leaf_max, unsigned inner_max);

/* All trees must be empty. */
void usage_nodes_deinit(struct usage_nodes *nodes);

/* Has at least `count` nodes ready. Returns 0 or -ENOMEM. */
int usage_nodes_fetch(struct usage_nodes *nodes, size_t count);

static inline int usage_nodes_reserve(struct usage_nodes *nodes, size_t count)
{
        return nodes->free_count >= count ? 0 : usage_nodes_fetch(nodes, count);
}

/* Freed nodes that are kept: more than any reservation for a tree and a session's holdings. */
#define USAGE_NODES_KEPT 64

/* Gives back what was reserved beyond what every operation may need. */
void usage_nodes_release(struct usage_nodes *nodes);

static inline void usage_nodes_trim(struct usage_nodes *nodes)
{
        if (nodes->free_count > USAGE_NODES_KEPT)
                usage_nodes_release(nodes);
}

/* Bytes of memory that the nodes take, with the allocator's share. */
size_t usage_nodes_footprint(const struct usage_nodes *nodes);

/* ---- trees ----------------------------------------------------------------------------------- */

/* What is known of a part of the tree; see node.h. */
struct usage_summary {
        uint32_t start;
        uint32_t end;
        uint32_t gap;
        uint32_t aligned_gap;
        uint8_t tags;
};

/* Sums over all entries, in pages; freed entries count only as freed. */
struct usage_totals {
        uint64_t entries;
        uint64_t pages[KIND_COUNT];
        uint64_t committed[KIND_COUNT];
        uint64_t freed;
        uint64_t freed_committed;
};

struct usage_tree {
        struct usage_nodes *nodes;
        struct node *root;            /* NULL: empty */
        unsigned height;              /* levels above the leaves */
        uint32_t capacity;            /* pages */
        uint32_t alignment;           /* pages of a hugepage */
        struct usage_summary summary; /* of the root; unless empty */
        struct usage_totals totals;
};

/* capacity, alignment: pages, the latter a power of two. Takes no memory. */
void usage_tree_init(
        struct usage_tree *tree, struct usage_nodes *nodes, uint32_t capacity, uint32_t alignment);

/* Forgets all entries. O(n). */
void usage_tree_clear(struct usage_tree *tree);

/* How many nodes one insert or change of this tree may need at the most: reserve them before. */
static inline size_t usage_tree_need(const struct usage_tree *tree)
{
        /* A change adds two entries at the most, where it cuts. For each, every level may split and
         * a root be added; the first may have made the tree higher for the second. */
        return (size_t)2 * tree->height + 5;
}

/*
 * The lowest start of a gap for `length` pages, at a hugepage boundary if `aligned`. Returns false
 * if there is none.
 */
bool usage_tree_find_gap(
        const struct usage_tree *tree, uint32_t length, bool aligned, uint32_t *ret);

/* The pages of the longest gap. O(1). */
uint32_t usage_tree_longest_gap(const struct usage_tree *tree);

/*
 * Adds an entry of `length` pages where usage_tree_find_gap() finds a gap: start and end are set,
 * all else is the caller's. Returns false, with nothing changed, if there is none. Needs
 * usage_tree_need() nodes reserved.
 */
bool usage_tree_allocate(
        struct usage_tree *tree, uint32_t length, bool aligned, struct usage_entry *entry);

/* Adds an entry where there is a gap. Needs usage_tree_need() nodes reserved. */
void usage_tree_insert(struct usage_tree *tree, const struct usage_entry *entry);

/*
 * Calls `change` for each entry, or part of one, in [start, end), lowest first. It may change all
 * but the extent, or return false to have the entry removed. Afterwards all is merged that can be.
 * Gaps are passed over. Needs usage_tree_need() nodes reserved, none if `change` leaves references
 * and kind as they are. O(log n) plus O(1) for each entry. USAGE_FREED follows from the references
 * and need not be kept by `change`.
 */
typedef bool usage_change_fn(struct usage_entry *entry, void *argument);
void usage_tree_change(struct usage_tree *tree, uint32_t start, uint32_t end,
        usage_change_fn *change, void *argument);

/* A place in the tree: from the leaf, level 0, up to the root. Valid until the tree changes. */
struct usage_path {
        struct node *node[NODE_LEVELS_MAX];
        unsigned index[NODE_LEVELS_MAX];
        unsigned
                run; /* entries of the leaf that the range touches; 0: it goes on beyond the leaf */
};

/*
 * Whether every page of [start, end) has references. If so `ret` is the place of `start`, for one
 * of the changes below, and `ret_most` the most references that a page has.
 */
bool usage_tree_locate(const struct usage_tree *tree, uint32_t start, uint32_t end,
        struct usage_path *ret, uint32_t *ret_most);

/*
 * The changes that requests make, all of a range whose pages have the references (and fewer than
 * UINT32_MAX where one is added). path: of usage_tree_locate(), or NULL. Need usage_tree_need()
 * nodes reserved. O(log n) plus O(1) for each entry.
 *
 *      incref, decref   what has no reference left stays, freed, of kind System
 *      decrease         what has no reference left is removed
 */
void usage_tree_incref(
        struct usage_tree *tree, struct usage_path *path, uint32_t start, uint32_t end);
void usage_tree_decref(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs);
void usage_tree_decrease(struct usage_tree *tree, struct usage_path *path, uint32_t start,
        uint32_t end, uint32_t refs);

/*
 * Makes an empty tree the holdings of somebody who holds all that has references in the other one:
 * committed pages are left out. Needs usage_tree_copy_need() nodes reserved. O(n).
 */
void usage_tree_copy_held(struct usage_tree *tree, const struct usage_tree *from);
size_t usage_tree_copy_need(const struct usage_tree *from);

/* In pages. */
struct usage_extent {
        uint32_t start;
        uint32_t end;
};

/*
 * Removes what is in the first of these extents, all of it freed: as many of them as can be at
 * once, at least one. They ascend; count is at least 1. Returns how many. Needs usage_tree_need()
 * nodes reserved.
 */
size_t usage_tree_remove_freed(
        struct usage_tree *tree, const struct usage_extent *extents, size_t count);

/*
 * One reference more on every page of [start, end): gaps become entries with one reference and the
 * kind that `kinds`, a tree which has no gap there, has in their place; 0 if that is NULL. Needs
 * usage_tree_increase_need() nodes reserved, where runs is at least how often the kind changes in
 * the range, plus one. O(log n) for each entry, gap and run in the range.
 */
void usage_tree_increase(
        struct usage_tree *tree, const struct usage_tree *kinds, uint32_t start, uint32_t end);
size_t usage_tree_increase_need(
        const struct usage_tree *tree, uint32_t start, uint32_t end, size_t runs);

/* Pages of all entries that have references. */
static inline uint64_t usage_tree_pages(const struct usage_tree *tree)
{
        uint64_t pages = 0;

        for (int kind = 0; kind < KIND_COUNT; kind++)
                pages += tree->totals.pages[kind];
        return pages;
}

/* The first entry that ends above `page`. Returns false if there is none. */
bool usage_tree_find(const struct usage_tree *tree, uint32_t page, struct usage_entry *ret);

/*
 * The first entries that end above `page` and have any of the tags, at most `max`. Returns how
 * many. O(log n) plus O(1) for each.
 */
size_t usage_tree_collect_tagged(const struct usage_tree *tree, uint32_t page, uint8_t tags,
        struct usage_entry *entries, size_t max);

/*
 * Walks the entries in order:
 *
 *      usage_cursor_init(&cursor, tree, page);
 *      while (usage_cursor_next(&cursor, &entry))
 */
struct usage_cursor {
        struct usage_path path;
        unsigned height;
        bool done;
};

/* At the first entry that ends above `page`. */
void usage_cursor_init(struct usage_cursor *cursor, const struct usage_tree *tree, uint32_t page);
bool usage_cursor_next(struct usage_cursor *cursor, struct usage_entry *ret);

/*
 * Checks everything that is said above and in node.h. Returns NULL, or a sentence about the first
 * invariant that is broken. O(n).
 */
const char *usage_tree_validate(const struct usage_tree *tree);

/* How many nodes the tree has: the sum over all trees of one set of nodes is its `live`. O(n). */
size_t usage_tree_count_nodes(const struct usage_tree *tree);
