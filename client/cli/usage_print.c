// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include "command.h"
#include "human.h"
#include "table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * By kind: one row for each kind, of the held ranges; then "reclaimable" (freed, not yet given
 * back), "stray" (committed outside every range) and "total". By pool: one row each. By session,
 * user or label: what sessions hold, where what several hold is counted for each; the total is that
 * of their pools. How old and exact the committed numbers are is the same in all rows.
 */
static const struct column list[] = {
        {"group", "GROUP", COLUMN_TEXT, .help = "a kind, session, user, pool or label; or total",
                .maybe = true},
        {"name", "NAME", COLUMN_TEXT, .help = "label or command of a session, name of a user",
                .maybe = true},
        {"pool", "POOL", COLUMN_TEXT, .help = "the pool that it is of, if it is of one",
                .maybe = true},
        {"allocated", "ALLOCATED", COLUMN_BYTES, .help = "bytes that somebody holds",
                .maybe = true},
        {"committed", "COMMITTED", COLUMN_BYTES,
                .help = "of them, stored by the kernel in RAM or swap", .maybe = true},
        {"swapped", "SWAPPED", COLUMN_BYTES, .help = "of the total, in swap", .maybe = true},
        {"reclaimable", "RECLAIMABLE", COLUMN_BYTES, .help = "freed, not yet given back",
                .maybe = true},
        {"stray", "STRAY", COLUMN_BYTES, .help = "stored outside every range", .maybe = true},
        {"leased", "LEASED", COLUMN_BYTES,
                .help = "allocated, and not handed out yet: being committed or verified",
                .maybe = true},
        {"host_permille", "OF HOST", COLUMN_PERMILLE,
                .help = "committed, as a part of the host's RAM", .maybe = true},
        {"kind", "KIND", COLUMN_TEXT, .help = "the same as group, if that is a kind", .extra = true,
                .maybe = true},
        {"by", "BY", COLUMN_TEXT, .help = "what the groups are: kind, session, uid, pool or label",
                .extra = true},
        {"total", "TOTAL", COLUMN_BOOL, .help = "whether it is the total", .extra = true},
        {"age_ns", "AGE", COLUMN_TIME, .help = "how old the committed numbers are", .extra = true,
                .maybe = true},
        {"exact", "EXACT", COLUMN_BOOL, .help = "whether no number is an estimate", .extra = true},
        {"at_ns", "AT", COLUMN_NUMBER, .help = "when this was, in ns since 1970", .extra = true},
        {"delta_ns", "DELTA", COLUMN_TIME,
                .help = "sizes are what changed in this time, unless it is null", .extra = true,
                .maybe = true},
};

const struct columns usage_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))

enum { AT_GROUP, AT_NAME, AT_POOL, AT_VALUES };

/* ---- a table --------------------------------------------------------------------------------- */

static bool is_wanted(enum usage_by by, size_t column)
{
        switch (column) {
        case AT_NAME:
                return by == USAGE_BY_SESSION || by == USAGE_BY_UID;
        case AT_POOL:
                return by == USAGE_BY_SESSION;
        case AT_VALUES + USAGE_SWAPPED:
        case AT_VALUES + USAGE_RECLAIMABLE:
        case AT_VALUES + USAGE_STRAY:
        case AT_VALUES + USAGE_LEASED:
                return by == USAGE_BY_POOL;
        default:
                return true;
        }
}

/* People see what the rows have; programs all. */
static void choose_columns(struct table *table, enum usage_by by)
{
        static const char *const headers[] = {"KIND", "SESSION", "UID", "POOL", "LABEL"};

        table_set_header(table, AT_GROUP, headers[by]);
        for (size_t i = 0; i < COLUMNS; i++)
                if (!is_wanted(by, i))
                        table_hide(table, i);
}

static struct cell difference(uint64_t now, uint64_t then)
{
        return (struct cell){
                .present = true,
                .differs = true,
                .negative = now < then,
                .number = now < then ? then - now : now - then,
        };
}

/* then: NULL if it is no difference. */
static struct cell value_cell(const struct usage_row *row, const struct usage_row *then,
        enum usage_value value, bool differs)
{
        if (!row->known[value])
                return CELL_NONE;
        if (!differs)
                return CELL_NUMBER(row->values[value]);
        return difference(row->values[value], then ? then->values[value] : 0);
}

static uint64_t host_memory(void)
{
        return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct cell share_cell(struct cell committed)
{
        uint64_t host = host_memory();

        if (!committed.present || !host)
                return CELL_NONE;
        committed.number = (uint64_t)((__uint128_t)committed.number * 1000 / host);
        return committed;
}

static struct cell text_cell(const char *text)
{
        return text[0] ? CELL_TEXT(text) : CELL_NONE;
}

/* Stray pages are somebody's mistake. */
static struct cell warn(struct cell cell)
{
        if (cell.present && cell.number && !cell.differs)
                cell.color = COLOR_WARN;
        return cell;
}

/* What is compared, and where its rows are found. */
struct comparison {
        const struct usage *usage, *since;
        struct usage_index now, then;
};

/* compared: NULL if there is nothing to compare with. */
static int add(struct table *table, const struct usage *usage, const struct usage_row *row,
        const struct comparison *compared)
{
        const struct usage_row *then = compared ? usage_find(&compared->then, row) : NULL;
        struct cell values[USAGE_VALUES];

        for (int value = 0; value < USAGE_VALUES; value++)
                values[value] = value_cell(row, then, (enum usage_value)value, compared);
        const struct cell cells[] = {
                text_cell(row->group),
                text_cell(row->name),
                text_cell(row->pool),
                values[USAGE_ALLOCATED],
                values[USAGE_COMMITTED],
                values[USAGE_SWAPPED],
                values[USAGE_RECLAIMABLE],
                warn(values[USAGE_STRAY]),
                values[USAGE_LEASED],
                share_cell(values[USAGE_COMMITTED]),
                usage->by == USAGE_BY_KIND ? CELL_TEXT(row->group) : CELL_NONE,
                CELL_TEXT(usage_by_names[usage->by]),
                CELL_NUMBER(row->total),
                usage->age_ns == UINT64_MAX ? CELL_NONE : CELL_NUMBER(usage->age_ns),
                CELL_NUMBER(usage->exact),
                CELL_NUMBER(usage->at_ns),
                compared ? CELL_NUMBER(usage->at_ns - compared->since->at_ns) : CELL_NONE,
        };

        _Static_assert(sizeof(cells) / sizeof(cells[0]) == COLUMNS, "a cell for each column");
        return table_add(table, cells);
}

/* What was there and is no more has given up all. */
static int add_gone(struct table *table, const struct comparison *compared)
{
        const struct usage *since = compared->since;
        int r = 0;

        for (size_t i = 0; r == 0 && i < since->count; i++) {
                struct usage_row row = since->rows[i];

                if (usage_find(&compared->now, &row))
                        continue;
                memset(row.values, 0, sizeof(row.values));
                r = add(table, compared->usage, &row, compared);
        }
        return r;
}

/* The totals come last. */
static int add_all(
        struct table *table, const struct usage *usage, const struct comparison *compared)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < usage->count; i++)
                if (!usage->rows[i].total)
                        r = add(table, usage, &usage->rows[i], compared);
        if (r == 0 && compared)
                r = add_gone(table, compared);
        for (size_t i = 0; r == 0 && i < usage->count; i++)
                if (usage->rows[i].total)
                        r = add(table, usage, &usage->rows[i], compared);
        return r;
}

static int print_table(
        const struct usage *usage, const struct usage *since, const struct options *options)
{
        struct comparison compared = {.usage = usage, .since = since};
        struct table *table;
        int r = table_new("usage", &usage_columns, options, &table);

        if (r < 0)
                return r;
        choose_columns(table, usage->by);
        if (since)
                r = usage_index(usage, &compared.now);
        if (since && r == 0)
                r = usage_index(since, &compared.then);
        if (r == 0)
                r = add_all(table, usage, since ? &compared : NULL);
        if (r == 0)
                r = table_print(table);
        usage_index_free(&compared.now);
        usage_index_free(&compared.then);
        table_free(table);
        return r;
}

/* ---- for people, below the table ------------------------------------------------------------- */

static const char *format_size(uint64_t bytes, const struct options *options, char *text)
{
        if (!options->bytes)
                return human_size(bytes, text);
        snprintf(text, HUMAN_MAX, "%llu bytes", (unsigned long long)bytes);
        return text;
}

static void print_footer(
        const struct usage *usage, const struct usage *since, const struct options *options)
{
        const struct usage_row *total = &usage->rows[usage->count - 1];
        char swapped[HUMAN_MAX], age[HUMAN_MAX], host[HUMAN_MAX];

        if (usage->age_ns == UINT64_MAX)
                puts("Committed was never counted.");
        else
                printf("Committed was counted %s ago and is %s; %s of it in swap. The host has "
                       "%s.\n",
                        human_time(usage->age_ns, age),
                        usage->exact ? "exact" : "in part an estimate",
                        format_size(total->values[USAGE_SWAPPED], options, swapped),
                        format_size(host_memory(), options, host));
        if (usage->by != USAGE_BY_KIND && usage->by != USAGE_BY_POOL)
                puts("What several sessions hold is counted for each; the total is that of the "
                     "pools.");
        if (since)
                printf("Sizes are what changed in %s.\n",
                        human_time(usage->at_ns - since->at_ns, age));
}

int usage_print(const struct usage *usage, const struct usage *since, const struct options *options)
{
        int r = print_table(usage, since, options);

        if (r == 0 && options_for_people(options) && !options->no_header)
                print_footer(usage, since, options);
        return r;
}
