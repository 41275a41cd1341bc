// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "human.h"
#include "table.h"

#include <string.h>

/*
 * One row for each kind, of the held ranges; then "reclaimable" (freed, not yet given back),
 * "stray" (committed outside every range) and "total", which alone knows what is swapped. How old
 * and exact the committed numbers are is the same in all rows.
 */
static const struct column list[] = {
        {"kind", "KIND", COLUMN_TEXT,
                .help = "what the ranges are for; or reclaimable, stray, total"},
        {"allocated", "ALLOCATED", COLUMN_BYTES, .help = "bytes that somebody holds",
                .maybe = true},
        {"committed", "COMMITTED", COLUMN_BYTES,
                .help = "of them, stored by the kernel in RAM or swap"},
        {"swapped", "SWAPPED", COLUMN_BYTES, .help = "of the total, in swap", .extra = true,
                .maybe = true},
        {"age_ns", "AGE", COLUMN_TIME, .help = "how old the committed numbers are", .extra = true,
                .maybe = true},
        {"exact", "EXACT", COLUMN_BOOL, .help = "whether no number is an estimate", .extra = true},
};

const struct columns usage_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))

static int add(struct table *table, const struct filemem_usage *usage, const char *name,
        struct cell allocated, uint64_t committed, struct cell swapped)
{
        const struct cell cells[COLUMNS] = {
                CELL_TEXT(name),
                allocated,
                CELL_NUMBER(committed),
                swapped,
                usage->age_ns == UINT64_MAX ? CELL_NONE : CELL_NUMBER(usage->age_ns),
                CELL_NUMBER(usage->exact),
        };

        return table_add(table, cells);
}

static int add_all(struct table *table, const struct filemem_usage *usage)
{
        uint64_t allocated = usage->reclaimable;
        int r = 0;

        for (int kind = 0; r == 0 && kind < FILEMEM_KINDS; kind++) {
                allocated += usage->allocated[kind];
                r = add(table, usage, filemem_kind_name((enum filemem_kind)kind),
                        CELL_NUMBER(usage->allocated[kind]), usage->committed[kind], CELL_NONE);
        }
        if (r == 0)
                r = add(table, usage, "reclaimable", CELL_NUMBER(usage->reclaimable),
                        usage->reclaimable_committed, CELL_NONE);
        if (r == 0)
                r = add(table, usage, "stray", CELL_NONE, usage->stray, CELL_NONE);
        if (r == 0)
                r = add(table, usage, "total", CELL_NUMBER(allocated), usage->total,
                        CELL_NUMBER(usage->swapped));
        return r;
}

/* For people, below the table. */
static void print_footer(const struct filemem_usage *usage, const struct options *options)
{
        char swapped[HUMAN_MAX], age[HUMAN_MAX];

        if (usage->age_ns == UINT64_MAX) {
                puts("Committed was never counted.");
                return;
        }
        if (options->bytes)
                snprintf(
                        swapped, sizeof(swapped), "%llu bytes", (unsigned long long)usage->swapped);
        else
                human_size(usage->swapped, swapped);
        printf("Committed was counted %s ago and is %s; %s of it in swap.\n",
                human_time(usage->age_ns, age), usage->exact ? "exact" : "in part an estimate",
                swapped);
}

int usage_run(filemem_session *session, const struct options *options)
{
        struct filemem_usage usage;
        struct table *table;
        const char *pool = options->pool ? options->pool : DEFAULT_POOL;
        int r = option_is_given(options, OPTION_KNOWN)
                        ? filemem_usage_of(session, pool, &usage)
                        : filemem_update_usage_of(session, pool, &usage);

        if (r < 0)
                return r;
        r = table_new("usage", &usage_columns, options, &table);
        if (r < 0)
                return r;
        r = add_all(table, &usage);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        if (r == 0 && options_for_people(options) && !options->no_header)
                print_footer(&usage, options);
        return r;
}
