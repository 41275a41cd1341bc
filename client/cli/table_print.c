// SPDX-License-Identifier: Apache-2.0
#include "table_data.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>

static const char *color_name(enum cell_color color)
{
        switch (color) {
        case COLOR_GOOD:
                return "green";
        case COLOR_WARN:
                return "brown"; /* which terminals show as yellow */
        case COLOR_BAD:
                return "red";
        case COLOR_NONE:
        default:
                return NULL;
        }
}

static int set_cell(struct libscols_line *line, size_t at, const struct column *column,
        const struct cell *cell, const struct options *options)
{
        char text[TABLE_TEXT_MAX];
        const char *data = table_format_cell(column, cell, options, text);

        if (data && scols_line_set_data(line, at, data) < 0)
                return -ENOMEM;
        if (options->color && cell->color != COLOR_NONE &&
                scols_cell_set_color(scols_line_get_cell(line, at), color_name(cell->color)) < 0)
                return -ENOMEM;
        return 0;
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

static int add_column(struct libscols_table *scols, const char *name, enum column_type type,
        const struct options *options)
{
        bool right = type != COLUMN_TEXT && type != COLUMN_BOOL;
        struct libscols_column *made =
                scols_table_new_column(scols, name, 0, right ? SCOLS_FL_RIGHT : 0);

        if (!made || scols_column_set_json_type(made, json_type(type)) < 0)
                return -ENOMEM;
        if (options->color && scols_cell_set_color(scols_column_get_header(made), "bold") < 0)
                return -ENOMEM;
        return 0;
}

/* NULL when out of memory. */
static struct libscols_table *new_scols(const char *name, const struct options *options)
{
        struct libscols_table *scols = scols_new_table();

        if (!scols || scols_table_set_name(scols, name) < 0) {
                scols_unref_table(scols);
                return NULL;
        }
        scols_table_enable_json(scols, options->json);
        scols_table_enable_raw(scols, options->raw);
        scols_table_enable_noheadings(scols, options->no_header);
        scols_table_enable_colors(scols, options->color);
        return scols;
}

static int add_columns(const struct table *table, struct libscols_table *scols)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < table->shown_count; i++) {
                size_t at = table->shown[i];
                const struct column *column = &table->columns->list[at];

                r = add_column(scols,
                        options_for_people(table->options) ? table->headers[at] : column->key,
                        column->type, table->options);
        }
        return r;
}

static int add_line(
        const struct table *table, struct libscols_table *scols, const struct cell *cells)
{
        struct libscols_line *line = scols_table_new_line(scols, NULL);
        int r = line ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < table->shown_count; i++) {
                size_t at = table->shown[i];

                r = set_cell(line, i, &table->columns->list[at], &cells[at], table->options);
        }
        return r;
}

static int fill(const struct table *table, struct libscols_table *scols)
{
        int r = add_columns(table, scols);

        for (size_t i = 0; r == 0 && i < table->count; i++)
                r = add_line(table, scols, table->rows[i]);
        return r;
}

/* People see the one row as a line for each column. */
static int fill_record(const struct table *table, struct libscols_table *scols)
{
        const struct column value = {.type = COLUMN_TEXT};
        int r = add_column(scols, "NAME", COLUMN_TEXT, table->options);

        if (r == 0)
                r = add_column(scols, "VALUE", COLUMN_TEXT, table->options);
        for (size_t i = 0; r == 0 && table->count && i < table->shown_count; i++) {
                size_t at = table->shown[i];
                struct libscols_line *line = scols_table_new_line(scols, NULL);
                const struct cell name = CELL_TEXT(table->headers[at]);

                r = line ? set_cell(line, 0, &value, &name, table->options) : -ENOMEM;
                if (r == 0)
                        r = set_cell(line, 1, &table->columns->list[at], &table->rows[0][at],
                                table->options);
        }
        return r;
}

int table_print(struct table *table)
{
        bool record = table->columns->record && options_for_people(table->options);
        struct libscols_table *scols;
        int r = table_sort_rows(table);

        if (r < 0)
                return r;
        /* An empty table prints nothing at all by itself, which is no JSON. */
        if (table->options->json && !table->count) {
                printf("{\n   \"%s\": []\n}\n", table->name);
                return 0;
        }
        scols = new_scols(table->name, table->options);
        if (!scols)
                return -ENOMEM;
        r = record ? fill_record(table, scols) : fill(table, scols);
        if (r == 0 && scols_print_table(scols) < 0)
                r = -ENOMEM;
        scols_unref_table(scols);
        return r;
}
