// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include "human.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
        const char *name;
        const struct columns *columns;
        const struct options *options;
        const char *headers[COLUMNS_MAX];
        const char *sort; /* NULL: as they come */
        size_t shown[COLUMNS_MAX];
        size_t shown_count;
        struct cell **rows; /* each its cells, and then their texts */
        size_t count;
        size_t room;
};

/* ---- rows ------------------------------------------------------------------------------------ */

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

/* ---- cells ----------------------------------------------------------------------------------- */

static const char *format_size(
        const struct column *column, const struct cell *cell, bool people, bool bytes, char *text)
{
        switch (people && !cell->plain ? column->type : COLUMN_NUMBER) {
        case COLUMN_BOOL:
                return cell->number ? "yes" : "no";
        case COLUMN_TIME:
                return human_time(cell->number, text);
        case COLUMN_PERMILLE:
                snprintf(text, HUMAN_MAX, "%" PRIu64 ".%" PRIu64 "%%", cell->number / 10,
                        cell->number % 10);
                return text;
        case COLUMN_OFFSET:
                snprintf(text, HUMAN_MAX, "%#" PRIx64, cell->number);
                return text;
        case COLUMN_BYTES:
                if (!bytes)
                        return human_size(cell->number, text);
                break;
        default:
                break;
        }
        snprintf(text, HUMAN_MAX, "%" PRIu64, cell->number);
        return text;
}

/* NULL for what is absent. text: of HUMAN_MAX + 1 bytes. */
static const char *format_cell(const struct column *column, const struct cell *cell,
        const struct options *options, char *text)
{
        bool people = options_for_people(options);
        const char *size;

        if (!cell->present)
                return options->raw ? "-" : NULL;
        if (column->type == COLUMN_TEXT)
                return cell->text[0] || !options->raw ? cell->text : "-";
        if (!cell->negative && !(cell->differs && cell->number && people))
                return format_size(column, cell, people, options->bytes, text);
        size = format_size(column, cell, people, options->bytes, text + 1);
        if (size != text + 1)
                return size;
        text[0] = cell->negative ? '-' : '+';
        return text;
}

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
        char text[HUMAN_MAX + 1];
        const char *data = format_cell(column, cell, options, text);

        if (data && scols_line_set_data(line, at, data) < 0)
                return -ENOMEM;
        if (options->color && cell->color != COLOR_NONE &&
                scols_cell_set_color(scols_line_get_cell(line, at), color_name(cell->color)) < 0)
                return -ENOMEM;
        return 0;
}

/* ---- sorting --------------------------------------------------------------------------------- */

struct order {
        size_t column;
        bool text;
        bool down;
};

static int compare_numbers(const struct cell *a, const struct cell *b)
{
        if (a->negative != b->negative)
                return a->negative ? -1 : 1;
        if (a->number == b->number)
                return 0;
        return (a->number < b->number) == !a->negative ? -1 : 1;
}

/* What is absent comes last, whichever way. */
static int compare(const struct cell *a, const struct cell *b, const struct order *order)
{
        int r;

        if (a->present != b->present)
                return a->present ? -1 : 1;
        if (!a->present)
                return 0;
        r = order->text ? strcmp(a->text, b->text) : compare_numbers(a, b);
        return order->down ? -r : r;
}

/* Rows that are equal stay in their order: qsort() would not promise it. */
static void merge_sort(
        struct cell **rows, size_t count, const struct order *order, struct cell **spare)
{
        size_t half = count / 2, i = 0, j = half;

        if (count < 2)
                return;
        merge_sort(rows, half, order, spare);
        merge_sort(rows + half, count - half, order, spare);
        for (size_t at = 0; at < count; at++) {
                bool left =
                        j == count || (i < half && compare(&rows[i][order->column],
                                                           &rows[j][order->column], order) <= 0);

                spare[at] = left ? rows[i++] : rows[j++];
        }
        memcpy(rows, spare, sizeof(struct cell *) * count);
}

static int sort(struct table *table)
{
        struct order order = {.down = false};
        int column = columns_sort(table->columns, table->sort, &order.down);
        struct cell **spare;

        if (column < 0 || table->count < 2)
                return 0;
        order.column = (size_t)column;
        order.text = table->columns->list[column].type == COLUMN_TEXT;
        spare = reallocarray(NULL, table->count, sizeof(struct cell *));
        if (!spare)
                return -ENOMEM;
        merge_sort(table->rows, table->count, &order, spare);
        free(spare);
        return 0;
}

/* ---- printing -------------------------------------------------------------------------------- */

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
        int r = sort(table);

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
