// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What a command prints. Its one array of columns is all that says how that looks: the table for
 * people, JSON and its schema, the help, and what --columns and --sort take.
 */
enum column_type {
        COLUMN_TEXT,
        COLUMN_NUMBER,
        COLUMN_BYTES,    /* 1.5M for people, unless --bytes */
        COLUMN_OFFSET,   /* hexadecimal for people */
        COLUMN_TIME,     /* ns for programs */
        COLUMN_PERMILLE, /* 12.3% for people */
        COLUMN_BOOL,
};

struct column {
        const char *key;    /* in JSON; never changed once it is out */
        const char *header; /* for people */
        enum column_type type;
        const char *help; /* one line */
        bool extra;       /* people see it only if they ask for it */
        bool maybe;       /* there may be nothing in it: null in JSON */
};

struct columns {
        const struct column *list;
        size_t count;
        bool record; /* one row, which people see as a line for each column */
};

#define COLUMNS_MAX 64

#define COLUMNS_OF(array)                                                                          \
        {                                                                                          \
                .list = (array), .count = sizeof(array) / sizeof((array)[0])                       \
        }
#define RECORD_OF(array)                                                                           \
        {                                                                                          \
                .list = (array), .count = sizeof(array) / sizeof((array)[0]), .record = true       \
        }

/* Whether --columns and --sort name columns of the command. Returns as options_parse(). */
enum exit_code columns_check(const struct options *options);

/*
 * The columns that are to be shown, by index and in their order; of options that were checked.
 * Returns how many. shown: of COLUMNS_MAX.
 */
size_t columns_choose(const struct columns *columns, const struct options *options, size_t *shown);

/* By which to sort, as --sort has it; its index, or -1 for NULL. *ret_down: largest first. */
int columns_sort(const struct columns *columns, const char *sort, bool *ret_down);
