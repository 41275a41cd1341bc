// SPDX-License-Identifier: Apache-2.0
#include "table_data.h"

#include <inttypes.h>
#include <stdio.h>

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

const char *table_format_cell(const struct column *column, const struct cell *cell,
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
