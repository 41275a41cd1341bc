// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A table for people or, with --json, for programs: the same columns and rows. One command has one
 * array of columns, which is all that says how its output looks.
 */
enum column_type {
        COLUMN_TEXT,
        COLUMN_NUMBER,
        COLUMN_BYTES,  /* 1.5M for people, unless --bytes */
        COLUMN_OFFSET, /* hexadecimal for people */
        COLUMN_TIME,   /* ns for programs */
        COLUMN_BOOL,
};

struct column {
        const char *key;    /* in JSON; never changed once it is out */
        const char *header; /* for people; NULL: JSON only */
        enum column_type type;
};

/* What is in a column of a row. Absent is null in JSON and nothing for people. */
struct cell {
        bool present;
        uint64_t number;
        const char *text;
        bool plain; /* a count in a column of bytes */
};

#define CELL_NUMBER(value) ((struct cell){.present = true, .number = (value)})
#define CELL_TEXT(value)   ((struct cell){.present = true, .text = (value)})
#define CELL_NONE          ((struct cell){.present = false})

struct table;

/* name: the key of the list in JSON. Returns 0 or -ENOMEM. The columns are borrowed. */
int table_new(const char *name, const struct column *columns, size_t count,
        const struct options *options, struct table **ret);

/* NULL is fine; returns NULL. */
struct table *table_free(struct table *table);

/* cells: one for each column; copied. Returns 0 or -ENOMEM. */
int table_add(struct table *table, const struct cell *cells);

/* Prints all rows to stdout. Returns 0 or -ENOMEM. */
int table_print(struct table *table);

/*
 * One row that is wide: a line for each column for people, one object in JSON. Makes, prints and
 * frees a table.
 */
int table_print_record(const char *name, const struct column *columns, const struct cell *cells,
        size_t count, const struct options *options);
