// SPDX-License-Identifier: Apache-2.0
#include "map_options.h"

#include "parse.h"

#include <stdio.h>
#include <string.h>

#define ROWS_MAX 1000

bool map_range_parse(const char *text, struct filemem_range *ret)
{
        struct filemem_range range = {0, UINT64_MAX};
        const char *dash = strchr(text, '-');
        char start[32];

        if (!dash || (size_t)(dash - text) >= sizeof(start))
                return false;
        snprintf(start, sizeof(start), "%.*s", (int)(dash - text), text);
        if ((start[0] && parse_size(start, &range.start)) ||
                (dash[1] && parse_size(dash + 1, &range.end)) || range.start >= range.end)
                return false;
        *ret = range;
        return true;
}

bool map_rows_parse(const char *text, size_t *ret)
{
        uint64_t rows;

        if (parse_count(text, &rows) || rows > ROWS_MAX)
                return false;
        *ret = rows;
        return true;
}
