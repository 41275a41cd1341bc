// SPDX-License-Identifier: Apache-2.0
#include "map/grid.h"

#include <errno.h>
#include <stdlib.h>

uint64_t map_cell_size(uint64_t length, uint64_t page_size, size_t count)
{
        uint64_t size = page_size;

        while ((length - 1) / size >= count)
                size <<= 1;
        return size;
}

int map_grid_init(struct map_grid *grid, struct filemem_range range, uint64_t cell_size)
{
        size_t count = (size_t)((range.end - range.start - 1) / cell_size + 1);
        struct map_cell *cells = calloc(count, sizeof(*cells));

        if (!cells)
                return -ENOMEM;
        grid->range = range;
        grid->cell_size = cell_size;
        grid->count = count;
        grid->cells = cells;
        return 0;
}

void map_grid_deinit(struct map_grid *grid)
{
        free(grid->cells);
        grid->cells = NULL;
}

struct filemem_range map_grid_range(const struct map_grid *grid, size_t index)
{
        uint64_t start = grid->range.start + index * grid->cell_size;
        bool whole = grid->range.end - start > grid->cell_size;

        return (struct filemem_range){start, whole ? start + grid->cell_size : grid->range.end};
}

struct filemem_range map_grid_clip(const struct map_grid *grid, struct filemem_range range)
{
        if (range.start < grid->range.start)
                range.start = grid->range.start;
        if (range.end > grid->range.end)
                range.end = grid->range.end;
        if (range.end < range.start)
                range.end = range.start;
        return range;
}

struct filemem_range map_grid_part(
        const struct map_grid *grid, size_t index, struct filemem_range range)
{
        struct filemem_range part = map_grid_range(grid, index);

        if (part.start < range.start)
                part.start = range.start;
        if (part.end > range.end)
                part.end = range.end;
        return part;
}

size_t map_grid_first(const struct map_grid *grid, struct filemem_range range)
{
        return (size_t)((range.start - grid->range.start) / grid->cell_size);
}

size_t map_grid_last(const struct map_grid *grid, struct filemem_range range)
{
        return (size_t)((range.end - 1 - grid->range.start) / grid->cell_size);
}

static uint64_t length_of(struct filemem_range range)
{
        return range.end - range.start;
}

/* Bytes of `part` that are committed, where the entry that it is of says only how many in all. */
static uint64_t committed_part(const struct filemem_entry *entry, struct filemem_range part,
        map_stored *stored, void *context, bool *ret_estimated)
{
        uint64_t whole = length_of(entry->range), length = length_of(part);
        uint64_t committed = entry->committed < whole ? entry->committed : whole;
        int64_t asked = -1;

        if (committed == 0 || committed == whole || length == whole)
                return length == whole ? committed : committed ? length : 0;
        if (stored)
                asked = stored(context, part);
        if (asked >= 0)
                return (uint64_t)asked < length ? (uint64_t)asked : length;
        *ret_estimated = true;
        return (uint64_t)((__uint128_t)committed * length / whole);
}

static void add_part(struct map_cell *cell, const struct filemem_entry *entry, uint64_t length,
        uint64_t committed)
{
        cell->entries++;
        if (entry->refs == 0) {
                cell->freed += length;
                cell->freed_committed += committed;
                return;
        }
        /* What a later daemon may know is shown as System. */
        unsigned kind = (unsigned)entry->kind < FILEMEM_KINDS ? (unsigned)entry->kind : 0;

        cell->held[kind] += length;
        cell->committed[kind] += committed;
        if (entry->refs == UINT32_MAX)
                cell->preparing += length;
        else if (entry->refs > cell->refs)
                cell->refs = entry->refs;
}

void map_grid_add(
        struct map_grid *grid, const struct filemem_entry *entry, map_stored *stored, void *context)
{
        struct filemem_range shown = map_grid_clip(grid, entry->range);

        if (shown.start == shown.end)
                return;
        for (size_t i = map_grid_first(grid, shown); i <= map_grid_last(grid, shown); i++) {
                struct filemem_range part = map_grid_part(grid, i, shown);
                bool estimated = entry->estimated;
                uint64_t committed = committed_part(entry, part, stored, context, &estimated);

                add_part(&grid->cells[i], entry, length_of(part), committed);
                grid->cells[i].estimated |= estimated;
        }
}

/* ---- what a cell is ---------------------------------------------------------------------------
 */

uint64_t map_cell_held(const struct map_cell *cell)
{
        uint64_t sum = 0;

        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                sum += cell->held[kind];
        return sum;
}

uint64_t map_cell_committed(const struct map_cell *cell)
{
        uint64_t sum = 0;

        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                sum += cell->committed[kind];
        return sum;
}

int map_cell_content(const struct map_cell *cell)
{
        int most = FILEMEM_SYSTEM;

        if (cell->stray)
                return MAP_STRAY;
        for (int kind = 1; kind < FILEMEM_KINDS; kind++)
                if (cell->held[kind] > cell->held[most])
                        most = kind;
        if (cell->freed > cell->held[most])
                return MAP_FREED;
        return cell->held[most] ? most : MAP_FREE;
}

const char *map_content_name(int content)
{
        switch (content) {
        case MAP_FREED:
                return "freed";
        case MAP_STRAY:
                return "stray";
        case MAP_FREE:
                return "free";
        default:
                return filemem_kind_name((enum filemem_kind)content);
        }
}

void map_cell_merge(struct map_cell *cell, const struct map_cell *other)
{
        for (int kind = 0; kind < FILEMEM_KINDS; kind++) {
                cell->held[kind] += other->held[kind];
                cell->committed[kind] += other->committed[kind];
        }
        cell->freed += other->freed;
        cell->freed_committed += other->freed_committed;
        cell->stray += other->stray;
        cell->preparing += other->preparing;
        cell->entries += other->entries;
        if (other->refs > cell->refs)
                cell->refs = other->refs;
        cell->estimated |= other->estimated;
}
