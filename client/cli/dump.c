// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

static const struct column list[] = {
        {"start", "START", COLUMN_OFFSET, .help = "first byte"},
        {"end", "END", COLUMN_OFFSET, .help = "first byte after it"},
        {"length", "LENGTH", COLUMN_BYTES, .help = "end minus start"},
        {"kind", "KIND", COLUMN_TEXT, .help = "what the range is for"},
        {"refs", "REFS", COLUMN_NUMBER, .help = "references; 0: freed; 4294967295: being prepared"},
        {"committed", "COMMITTED", COLUMN_BYTES, .help = "stored by the kernel in RAM or swap"},
        {"estimated", "ESTIMATED", COLUMN_BOOL,
                .help = "committed is an estimate until the next scan"},
};

const struct columns dump_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))
#define PAGE    512

static int add(struct table *table, const struct filemem_entry *entry)
{
        const char *kind = filemem_kind_name(entry->kind);
        const struct cell cells[COLUMNS] = {
                CELL_NUMBER(entry->range.start),
                CELL_NUMBER(entry->range.end),
                CELL_NUMBER(entry->range.end - entry->range.start),
                CELL_TEXT(kind ? kind : "?"),
                CELL_NUMBER(entry->refs),
                CELL_NUMBER(entry->committed),
                CELL_NUMBER(entry->estimated),
        };

        return table_add(table, cells);
}

static int add_all(struct table *table, filemem_session *session, const char *pool)
{
        struct filemem_entry entries[PAGE];
        uint64_t from = 0;
        int count;

        while ((count = filemem_dump_of(session, pool, from, entries, PAGE)) > 0) {
                for (int i = 0; i < count; i++) {
                        int r = add(table, &entries[i]);

                        if (r < 0)
                                return r;
                }
                from = entries[count - 1].range.end;
        }
        return count;
}

int dump_run(filemem_session *session, const struct options *options)
{
        struct table *table;
        int r = table_new("dump", &dump_columns, options, &table);

        if (r < 0)
                return r;
        r = add_all(table, session, options->pool ? options->pool : DEFAULT_POOL);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
