// SPDX-License-Identifier: Apache-2.0
#include "table_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int table_new(const char *name, const struct columns *columns, const struct options *options,
        struct table **ret)
{
        struct table *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        table->name = name;
        table->columns = columns;
        table->options = options;
        table->sort = options->value[OPTION_SORT];
        for (size_t i = 0; i < columns->count; i++)
                table->headers[i] = columns->list[i].header;
        table->shown_count = columns_choose(columns, options, table->shown);
        *ret = table;
        return 0;
}

struct table *table_free(struct table *table)
{
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->count; i++)
                free(table->rows[i]);
        free(table->rows);
        free(table);
        return NULL;
}

void table_set_header(struct table *table, size_t column, const char *header)
{
        table->headers[column] = header;
}

void table_hide(struct table *table, size_t column)
{
        size_t kept = 0;

        if (table->options->value[OPTION_COLUMNS] || !options_for_people(table->options))
                return;
        for (size_t i = 0; i < table->shown_count; i++)
                if (table->shown[i] != column)
                        table->shown[kept++] = table->shown[i];
        table->shown_count = kept;
}

void table_sort(struct table *table, const char *sort)
{
        if (!table->sort)
                table->sort = sort;
}

static int make_room(struct table *table)
{
        size_t room = table->room ? 2 * table->room : 64;
        struct cell **rows;

        if (table->count < table->room)
                return 0;
        rows = reallocarray(table->rows, room, sizeof(struct cell *));
        if (!rows)
                return -ENOMEM;
        table->rows = rows;
        table->room = room;
        return 0;
}

static bool has_text(const struct table *table, const struct cell *cells, size_t i)
{
        return table->columns->list[i].type == COLUMN_TEXT && cells[i].present;
}

int table_add(struct table *table, const struct cell *cells)
{
        size_t size = sizeof(struct cell) * table->columns->count;
        struct cell *row;
        char *text;

        if (make_room(table) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < table->columns->count; i++)
                if (has_text(table, cells, i))
                        size += strlen(cells[i].text) + 1;
        row = malloc(size);
        if (!row)
                return -ENOMEM;
        memcpy(row, cells, sizeof(struct cell) * table->columns->count);
        text = (char *)(row + table->columns->count);
        for (size_t i = 0; i < table->columns->count; i++) {
                if (!has_text(table, cells, i))
                        continue;
                row[i].text = text;
                text = stpcpy(text, cells[i].text) + 1;
        }
        table->rows[table->count++] = row;
        return 0;
}

int table_print_record(const char *name, const struct columns *columns, const struct cell *cells,
        const struct options *options)
{
        struct table *table;
        int r = table_new(name, columns, options, &table);

        if (r < 0)
                return r;
        r = table_add(table, cells);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
