// SPDX-License-Identifier: Apache-2.0
#include "map.h"

#include <string.h>

/* Entries that are asked for at once, and at the most: the daemon has other things to do. */
#define PAGE_ENTRIES 512
#define ENTRIES_MAX  65536

/* Cells are whole pages, and all of one size but the last. */
static void divide(struct source_map *map, uint64_t page_size)
{
        uint64_t pages = map->size / page_size;
        uint64_t each = (pages + SOURCE_CELLS - 1) / SOURCE_CELLS;

        map->cell_size = (each ? each : 1) * page_size;
        map->count = (size_t)((map->size + map->cell_size - 1) / map->cell_size);
}

static void add_part(struct source_cell *cell, const struct filemem_entry *entry, uint64_t length)
{
        uint64_t whole = entry->range.end - entry->range.start;

        if (!entry->refs) {
                cell->freed += length;
                return;
        }
        if (entry->kind < FILEMEM_KINDS)
                cell->allocated[entry->kind] += length;
        /* Where in the entry its committed pages are, nobody knows: in proportion. */
        cell->committed += (uint64_t)((double)entry->committed * (double)length / (double)whole);
}

static void add_entry(struct source_map *map, const struct filemem_entry *entry)
{
        uint64_t start = entry->range.start;

        while (start < entry->range.end && start < map->size) {
                uint64_t place = start / map->cell_size, end = (place + 1) * map->cell_size;

                if (end > entry->range.end)
                        end = entry->range.end;
                add_part(&map->cells[place], entry, end - start);
                start = end;
        }
}

int map_fetch(filemem_session *session, const char *pool, struct source_map *ret)
{
        struct filemem_entry entries[PAGE_ENTRIES];
        struct filemem_pool information;
        uint64_t from = 0;
        size_t total = 0;
        int r = filemem_pool_info_of(session, pool, &information);

        if (r < 0)
                return r;
        memset(ret, 0, sizeof(*ret));
        memcpy(ret->pool, information.name, sizeof(ret->pool));
        ret->size = information.size;
        divide(ret, information.page_size);
        while ((r = filemem_dump_of(session, pool, from, entries, PAGE_ENTRIES)) > 0) {
                for (int i = 0; i < r; i++)
                        add_entry(ret, &entries[i]);
                from = entries[r - 1].range.end;
                total += (size_t)r;
                if (total >= ENTRIES_MAX)
                        return 0;
        }
        ret->complete = r == 0;
        return r;
}
