// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "columns.h"

#include <stdint.h>

/* A table for people or, with --json or --raw, for programs: the same columns and rows. */

enum cell_color {
        COLOR_NONE,
        COLOR_GOOD,
        COLOR_WARN,
        COLOR_BAD,
};

/* What is in a column of a row. Absent is null in JSON and nothing for people. */
struct cell {
        bool present;
        bool negative; /* a difference: less */
        bool differs;  /* a difference: people see its sign */
        bool plain;    /* a count in a column of bytes */
        uint64_t number;
        const char *text;
        enum cell_color color;
};

#define CELL_NUMBER(value) ((struct cell){.present = true, .number = (value)})
#define CELL_TEXT(value)   ((struct cell){.present = true, .text = (value)})
#define CELL_NONE          ((struct cell){.present = false})

struct table;

/* name: the key of the list in JSON. Returns 0 or -ENOMEM. Columns and options are borrowed. */
int table_new(const char *name, const struct columns *columns, const struct options *options,
        struct table **ret);

/* NULL is fine; returns NULL. */
struct table *table_free(struct table *table);

/* Another name for people of a column that is not the same in all tables of a command. Borrowed. */
void table_set_header(struct table *table, size_t column, const char *header);

/* People do not see a column, unless they ask for it. */
void table_hide(struct table *table, size_t column);

/* By which column to sort where the user says nothing, as --sort has it. Borrowed. */
void table_sort(struct table *table, const char *sort);

/* cells: one for each column; copied. Returns 0 or -ENOMEM. */
int table_add(struct table *table, const struct cell *cells);

/* Sorts where that was asked for, and prints all rows to stdout. Returns 0 or -ENOMEM. */
int table_print(struct table *table);

/* Makes, prints and frees a table of one row. */
int table_print_record(const char *name, const struct columns *columns, const struct cell *cells,
        const struct options *options);
