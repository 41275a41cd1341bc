// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

#include <errno.h>
#include <string.h>

static const struct column columns[] = {
        {"limit", "LIMIT", COLUMN_TEXT},
        {"session", "SESSION", COLUMN_BYTES},
        {"session_maximum", "OF", COLUMN_BYTES},
        {"user", "USER", COLUMN_BYTES},
        {"user_maximum", "OF", COLUMN_BYTES},
        {"pool", "POOL", COLUMN_BYTES},
        {"pool_maximum", "OF", COLUMN_BYTES},
        {"total", "TOTAL", COLUMN_BYTES},
        {"total_maximum", "OF", COLUMN_BYTES},
};

#define COLUMNS    (sizeof(columns) / sizeof(columns[0]))
#define LIMITS_MAX 32

static bool is_in_bytes(const char *name)
{
        return !strcmp(name, "bytes") || !strcmp(name, "committed") || !strcmp(name, "replies");
}

/* Two cells: what is used, and of how much; nothing where it is not counted, or has no limit. */
static void fill(struct cell *cells, const struct filemem_limit_use *use, bool plain)
{
        cells[0] = cells[1] = CELL_NONE;
        if (!use->counted)
                return;
        cells[0] = (struct cell){.present = true, .number = use->used, .plain = plain};
        if (use->maximum != FILEMEM_UNLIMITED)
                cells[1] = (struct cell){.present = true, .number = use->maximum, .plain = plain};
}

static int add(struct table *table, const struct filemem_limit *limit)
{
        bool plain = !is_in_bytes(limit->name);
        struct cell cells[COLUMNS] = {CELL_TEXT(limit->name)};

        fill(&cells[1], &limit->session, plain);
        fill(&cells[3], &limit->user, plain);
        fill(&cells[5], &limit->pool, plain);
        fill(&cells[7], &limit->total, plain);
        return table_add(table, cells);
}

int limits_run(filemem_session *session, const struct options *options)
{
        struct filemem_limit limits[LIMITS_MAX];
        int count = filemem_limits_of(
                session, options->pool ? options->pool : DEFAULT_POOL, limits, LIMITS_MAX);
        struct table *table;
        int r;

        /* Who asked for no pool gets what there is. */
        if (!options->pool && (count == -EPERM || count == -ENOENT))
                count = filemem_limits(session, limits, LIMITS_MAX);
        if (count < 0)
                return count;
        r = table_new("limits", columns, COLUMNS, options, &table);
        if (r < 0)
                return r;
        for (int i = 0; i < count && i < LIMITS_MAX && r == 0; i++)
                r = add(table, &limits[i]);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
