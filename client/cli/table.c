// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include "human.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

struct table {
        struct libscols_table *scols;
        const struct column *columns;
        size_t count;
        const struct options *options;
};

static bool is_shown(const struct column *column, const struct options *options)
{
        return options->json || column->header;
}

static int json_type(enum column_type type)
{
        switch (type) {
        case COLUMN_TEXT:
                return SCOLS_JSON_STRING;
        case COLUMN_BOOL:
                return SCOLS_JSON_BOOLEAN;
        default:
                return SCOLS_JSON_NUMBER;
        }
}

static int add_column(struct table *table, const struct column *column)
{
        const struct options *options = table->options;
        bool right = column->type != COLUMN_TEXT && column->type != COLUMN_BOOL;
        struct libscols_column *made = scols_table_new_column(table->scols,
                options->json ? column->key : column->header, 0, right ? SCOLS_FL_RIGHT : 0);

        if (!made)
                return -ENOMEM;
        return scols_column_set_json_type(made, json_type(column->type));
}

int table_new(const char *name, const struct column *columns, size_t count,
        const struct options *options, struct table **ret)
{
        struct table *table = calloc(1, sizeof(*table));
        int r = 0;

        if (!table)
                return -ENOMEM;
        table->columns = columns;
        table->count = count;
        table->options = options;
        table->scols = scols_new_table();
        if (!table->scols || scols_table_set_name(table->scols, name) < 0)
                r = -ENOMEM;
        if (r == 0) {
                scols_table_enable_json(table->scols, options->json);
                scols_table_enable_noheadings(table->scols, options->no_header);
        }
        for (size_t i = 0; r == 0 && i < count; i++)
                if (is_shown(&columns[i], options))
                        r = add_column(table, &columns[i]) < 0 ? -ENOMEM : 0;
        if (r < 0)
                table_free(table);
        else
                *ret = table;
        return r;
}

struct table *table_free(struct table *table)
{
        if (table) {
                scols_unref_table(table->scols);
                free(table);
        }
        return NULL;
}

static const char *format_number(
        const struct column *column, uint64_t number, const struct options *options, char *text)
{
        if (column->type == COLUMN_BOOL && options->json)
                return number ? "1" : "0"; /* what libsmartcols makes false and true of */
        if (column->type == COLUMN_BOOL)
                return number ? "yes" : "no";
        if (column->type == COLUMN_BYTES && !options->json && !options->bytes)
                return human_size(number, text);
        if (column->type == COLUMN_TIME && !options->json)
                return human_time(number, text);
        snprintf(text, HUMAN_MAX,
                column->type == COLUMN_OFFSET && !options->json ? "%#" PRIx64 : "%" PRIu64, number);
        return text;
}

/* NULL for what is absent. */
static const char *format_cell(const struct column *column, const struct cell *cell,
        const struct options *options, char *text)
{
        if (!cell->present)
                return NULL;
        if (column->type == COLUMN_TEXT)
                return cell->text;
        if (cell->plain) {
                snprintf(text, HUMAN_MAX, "%" PRIu64, cell->number);
                return text;
        }
        return format_number(column, cell->number, options, text);
}

int table_add(struct table *table, const struct cell *cells)
{
        struct libscols_line *line = scols_table_new_line(table->scols, NULL);
        size_t shown = 0;

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < table->count; i++) {
                const struct column *column = &table->columns[i];
                char text[HUMAN_MAX];
                const char *data;

                if (!is_shown(column, table->options))
                        continue;
                data = format_cell(column, &cells[i], table->options, text);
                if (data && scols_line_set_data(line, shown, data) < 0)
                        return -ENOMEM;
                shown++;
        }
        return 0;
}

int table_print(struct table *table)
{
        /* An empty table prints nothing at all by itself, which is no JSON. */
        if (table->options->json && scols_table_is_empty(table->scols)) {
                printf("{\n   \"%s\": []\n}\n", scols_table_get_name(table->scols));
                return 0;
        }
        return scols_print_table(table->scols) < 0 ? -ENOMEM : 0;
}

static int print_one_row(const char *name, const struct column *columns, const struct cell *cells,
        size_t count, const struct options *options)
{
        struct table *table;
        int r = table_new(name, columns, count, options, &table);

        if (r < 0)
                return r;
        r = table_add(table, cells);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

int table_print_record(const char *name, const struct column *columns, const struct cell *cells,
        size_t count, const struct options *options)
{
        static const struct column pair[] = {
                {"name", "NAME", COLUMN_TEXT},
                {"value", "VALUE", COLUMN_TEXT},
        };
        struct table *table;
        int r;

        if (options->json)
                return print_one_row(name, columns, cells, count, options);
        r = table_new(name, pair, 2, options, &table);
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < count; i++) {
                char text[HUMAN_MAX];
                const char *value = format_cell(&columns[i], &cells[i], options, text);
                struct cell row[] = {CELL_TEXT(columns[i].header), CELL_TEXT(value)};

                if (columns[i].header)
                        r = table_add(table, row);
        }
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
