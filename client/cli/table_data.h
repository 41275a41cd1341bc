// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "human.h"
#include "table.h"

/* What a table is made of: for the files of the table alone. */
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

/* Puts the rows into the order that was asked for. Returns 0 or -ENOMEM. */
int table_sort_rows(struct table *table);

/* What a cell looks like; NULL for what is absent. text: of TABLE_TEXT_MAX bytes. */
#define TABLE_TEXT_MAX (HUMAN_MAX + 1)
const char *table_format_cell(const struct column *column, const struct cell *cell,
        const struct options *options, char *text);
