// SPDX-License-Identifier: Apache-2.0
#include "table_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int table_sort_rows(struct table *table)
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
