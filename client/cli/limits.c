// SPDX-License-Identifier: Apache-2.0
#include "limits_summary.h"

#include "command.h"
#include "human.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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

/* Returns how many there are, or a negative errno. */
static int ask(filemem_session *session, const struct options *options, struct filemem_limit *ret)
{
        int count = filemem_limits_of(
                session, options->pool ? options->pool : DEFAULT_POOL, ret, LIMITS_MAX);

        /* Who asked for no pool gets what there is. */
        if (!options->pool && (count == -EPERM || count == -ENOENT))
                count = filemem_limits(session, ret, LIMITS_MAX);
        return count < LIMITS_MAX ? count : LIMITS_MAX;
}

static void print_use(FILE *out, const struct filemem_limit *limit, bool first)
{
        char used[HUMAN_MAX], maximum[HUMAN_MAX];

        if (!limit->total.counted || limit->total.maximum == FILEMEM_UNLIMITED)
                return;
        if (is_in_bytes(limit->name))
                fprintf(out, "%s%s %s of %s", first ? "" : ", ", limit->name,
                        human_size(limit->total.used, used),
                        human_size(limit->total.maximum, maximum));
        else
                fprintf(out, "%s%s %" PRIu64 " of %" PRIu64, first ? "" : ", ", limit->name,
                        limit->total.used, limit->total.maximum);
}

int limits_summary(filemem_session *session, const struct options *options, char **ret)
{
        struct filemem_limit limits[LIMITS_MAX];
        int count = ask(session, options, limits);
        size_t size;
        FILE *out;

        if (count < 0)
                return count;
        out = open_memstream(ret, &size);
        if (!out)
                return -errno;
        for (int i = 0; i < count; i++)
                print_use(out, &limits[i], ftell(out) == 0);
        /* Cutting the text to its length may be what there is no memory for: then there is none. */
        return fclose(out) == 0 && *ret ? 0 : -ENOMEM;
}

int limits_run(filemem_session *session, const struct options *options)
{
        struct filemem_limit limits[LIMITS_MAX];
        int count = ask(session, options, limits);
        struct table *table;
        int r;

        if (count < 0)
                return count;
        r = table_new("limits", &limits_columns, options, &table);
        if (r < 0)
                return r;
        for (int i = 0; i < count && r == 0; i++)
                r = add(table, &limits[i]);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
