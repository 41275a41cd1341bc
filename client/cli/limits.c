// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

#include <errno.h>
#include <string.h>

static const struct column list[] = {
        {"limit", "LIMIT", COLUMN_TEXT, .help = "its name, as in filememd.conf(5)"},
        {"session", "SESSION", COLUMN_BYTES, .help = "used by this session", .maybe = true},
        {"session_maximum", "OF", COLUMN_BYTES, .help = "of at most", .maybe = true},
        {"user", "USER", COLUMN_BYTES, .help = "used by all of this user", .maybe = true},
        {"user_maximum", "OF", COLUMN_BYTES, .help = "of at most", .maybe = true},
        {"pool", "POOL", COLUMN_BYTES, .help = "used by all in the pool", .maybe = true},
        {"pool_maximum", "OF", COLUMN_BYTES, .help = "of at most", .maybe = true},
        {"total", "TOTAL", COLUMN_BYTES, .help = "used by all", .maybe = true},
        {"total_maximum", "OF", COLUMN_BYTES, .help = "of at most", .maybe = true},
};

const struct columns limits_columns = COLUMNS_OF(list);

#define COLUMNS    (sizeof(list) / sizeof(list[0]))
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
        r = table_new("limits", &limits_columns, options, &table);
        if (r < 0)
                return r;
        for (int i = 0; i < count && i < LIMITS_MAX && r == 0; i++)
                r = add(table, &limits[i]);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
