// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>

/*
 * A part of a pool's file as a grid of cells, each a run of pages of the same length. The cells
 * take all the memory that there is to it: a pool with a million ranges needs no more than an empty
 * one. Not thread safe, as everything here.
 */
struct map_cell {
        uint64_t held[FILEMEM_KINDS];      /* bytes */
        uint64_t committed[FILEMEM_KINDS]; /* of these */
        uint64_t freed;                    /* bytes freed and not yet given back */
        uint64_t freed_committed;
        uint64_t stray;     /* bytes committed outside every range */
        uint64_t preparing; /* of the held ones: not handed out yet */
        uint64_t entries;   /* that have a part of it */
        uint32_t refs;      /* the most references that a page in it has */
        bool estimated;     /* where in a range its committed pages are was not asked */
};

struct map_grid {
        struct filemem_range range; /* what it shows; a multiple of the page */
        uint64_t cell_size;         /* bytes; the last cell may be cut short by the range */
        size_t count;
        struct map_cell *cells;
};

/*
 * How long cells have to be so that `length` bytes need at most `count` (not 0): the page, or the
 * page times a power of two.
 */
uint64_t map_cell_size(uint64_t length, uint64_t page_size, size_t count);

/* range: not empty. Returns 0 or -ENOMEM. */
int map_grid_init(struct map_grid *grid, struct filemem_range range, uint64_t cell_size);
void map_grid_deinit(struct map_grid *grid);

/* Where a cell lies. */
struct filemem_range map_grid_range(const struct map_grid *grid, size_t index);

/* The part of a range that the grid shows, empty (start == end) if it shows nothing of it. */
struct filemem_range map_grid_clip(const struct map_grid *grid, struct filemem_range range);

/* The part of a cell that lies in a range which has some of it. */
struct filemem_range map_grid_part(
        const struct map_grid *grid, size_t index, struct filemem_range range);

/* The cells that have a part of a range which is not empty and lies within the grid. */
size_t map_grid_first(const struct map_grid *grid, struct filemem_range range);
size_t map_grid_last(const struct map_grid *grid, struct filemem_range range);

/*
 * How many bytes the kernel stores of a part of the file. Negative: not known, as is meant by NULL
 * instead of a function.
 */
typedef int64_t map_stored(void *context, struct filemem_range range);

/*
 * Adds an entry of the usage tree, as far as the grid shows it. Where a range has some of its pages
 * committed and lies in several cells, `stored` is asked for each of them, or what is committed is
 * divided in proportion.
 */
void map_grid_add(struct map_grid *grid, const struct filemem_entry *entry, map_stored *stored,
        void *context);

/* ---- what a cell is ---------------------------------------------------------------------------
 */

/* What most of a cell is; the kinds have the values of enum filemem_kind. */
enum map_content {
        MAP_FREED = FILEMEM_KINDS,
        MAP_STRAY, /* any of it: that should not be there */
        MAP_FREE,  /* all of it */
        MAP_CONTENTS,
};

/* Values are those of enum filemem_kind or of enum map_content. */
int map_cell_content(const struct map_cell *cell);

/* "Anonymous", "freed", ... Static storage. */
const char *map_content_name(int content);

uint64_t map_cell_held(const struct map_cell *cell);
uint64_t map_cell_committed(const struct map_cell *cell);

/* Adds what is in one to another. */
void map_cell_merge(struct map_cell *cell, const struct map_cell *other);
