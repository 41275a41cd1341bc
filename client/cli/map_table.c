// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "map.h"
#include "table.h"

static const struct column list[] = {
        {"start", "START", COLUMN_OFFSET, .help = "where the cell starts"},
        {"end", "END", COLUMN_OFFSET, .help = "and where it ends"},
        {"content", "CONTENT", COLUMN_TEXT,
                .help = "the kind of most of it; or freed, free, or stray if any is"},
        {"allocated", "ALLOCATED", COLUMN_BYTES, .help = "bytes of it that somebody holds"},
        {"committed", "COMMITTED", COLUMN_BYTES,
                .help = "of them, stored by the kernel in RAM or swap"},
        {"free", "FREE", COLUMN_BYTES, .help = "bytes that can be allocated"},
        {"freed", "FREED", COLUMN_BYTES, .help = "bytes that are not given back yet"},
        {"freed_committed", "FREED-COMMITTED", COLUMN_BYTES,
                .help = "of them, stored by the kernel", .extra = true},
        {"stray", "STRAY", COLUMN_BYTES, .help = "bytes stored outside every range", .maybe = true},
        {"ranges", "RANGES", COLUMN_NUMBER, .help = "entries that have a part of it"},
        {"refs", "REFS", COLUMN_NUMBER, .help = "the most references that a page has"},
        {"preparing", "PREPARING", COLUMN_BYTES,
                .help = "of the allocated bytes, not handed out yet", .extra = true},
        {"estimated", "ESTIMATED", COLUMN_BOOL,
                .help = "whether its committed bytes are divided, not counted", .extra = true},
#define KIND(key, header)                                                                          \
        {key, header, COLUMN_BYTES, .help = "bytes of this kind that somebody holds",              \
                .extra = true},                                                                    \
        {                                                                                          \
                key "_committed", header "-COMMITTED", COLUMN_BYTES,                               \
                        .help = "of them, stored by the kernel", .extra = true                     \
        }
        KIND("system", "SYSTEM"),
        KIND("anonymous", "ANONYMOUS"),
        KIND("pagecache", "PAGECACHE"),
        KIND("tmpfs", "TMPFS"),
        KIND("ramdiskfs", "RAMDISKFS"),
        KIND("mapped", "MAPPED"),
};

const struct columns map_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))

static int add(struct table *table, const struct map_survey *survey, size_t index)
{
        const struct map_cell *cell = &survey->grid.cells[index];
        struct filemem_range range = map_grid_range(&survey->grid, index);
        uint64_t held = map_cell_held(cell), length = range.end - range.start;
        struct cell cells[COLUMNS] = {
                CELL_NUMBER(range.start),
                CELL_NUMBER(range.end),
                CELL_TEXT(map_content_name(map_cell_content(cell))),
                CELL_NUMBER(held),
                CELL_NUMBER(map_cell_committed(cell)),
                /* What is seen twice because it moved meanwhile makes no huge number. */
                CELL_NUMBER(held + cell->freed < length ? length - held - cell->freed : 0),
                CELL_NUMBER(cell->freed),
                CELL_NUMBER(cell->freed_committed),
                survey->asked_stray ? CELL_NUMBER(cell->stray) : CELL_NONE,
                CELL_NUMBER(cell->entries),
                CELL_NUMBER(cell->refs),
                CELL_NUMBER(cell->preparing),
                CELL_NUMBER(cell->estimated),
        };

        for (size_t kind = 0; kind < FILEMEM_KINDS; kind++) {
                cells[COLUMNS - 2 * (FILEMEM_KINDS - kind)] = CELL_NUMBER(cell->held[kind]);
                cells[COLUMNS - 2 * (FILEMEM_KINDS - kind) + 1] =
                        CELL_NUMBER(cell->committed[kind]);
        }
        return table_add(table, cells);
}

int map_table_print(const struct map_survey *survey, const struct options *options)
{
        struct table *table;
        int r = table_new("map", &map_columns, options, &table);

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < survey->grid.count; i++)
                r = add(table, survey, i);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
