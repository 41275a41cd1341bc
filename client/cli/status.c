// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "limits_summary.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>

static const struct column list[] = {
        {"version", "version", COLUMN_TEXT, .help = "of the daemon"},
        {"pid", "pid", COLUMN_NUMBER, .help = "of the daemon"},
        {"uptime_ns", "up for", COLUMN_TIME, .help = "since the daemon started"},
        {"sessions", "sessions", COLUMN_NUMBER, .help = "that are connected"},
        {"sessions_total", "sessions since the start", COLUMN_NUMBER,
                .help = "that have been since the start"},
        {"requests", "requests", COLUMN_NUMBER, .help = "since the start"},
        {"operations", "operations", COLUMN_NUMBER, .help = "in them"},
        {"refusals", "refusals", COLUMN_NUMBER,
                .help = "requests and operations that were not answered OK"},
        {"protocol_errors", "protocol errors", COLUMN_NUMBER,
                .help = "sessions that were ended for breaking the protocol"},
        {"accounting", "accounting", COLUMN_TEXT,
                .help = "how committed pages are counted: cachestat or seek"},
        {"scans", "scans", COLUMN_NUMBER,
                .help = "how often the kernel was asked for more than the sum"},
        {"reclaimed", "reclaimed", COLUMN_BYTES, .help = "what was given back to the kernel"},
        {"punches", "punches", COLUMN_NUMBER, .help = "how often"},
        {"punch_failures", "punch failures", COLUMN_NUMBER, .help = "how often the kernel refused"},
        {"max_message", "largest message", COLUMN_BYTES, .help = "the largest message"},
        {"max_operations", "operations in a request", COLUMN_NUMBER,
                .help = "the most operations in a request"},
        {"limits", "limits", COLUMN_TEXT, .help = "used of what all have together"},
        {"pools", "pools", COLUMN_NUMBER, .help = "how many there are"},
        {"pool", "pool", COLUMN_TEXT, .help = "the one that the rest is about", .maybe = true},
        {"pool_sessions", "sessions in it", COLUMN_NUMBER, .help = "sessions in the pool",
                .maybe = true},
        {"capacity", "capacity", COLUMN_BYTES, .help = "the most that it can hold", .maybe = true},
        {"size", "size", COLUMN_BYTES, .help = "of the pool's file in use so far", .maybe = true},
        {"page_size", "page", COLUMN_BYTES, .help = "bytes of a page", .maybe = true},
        {"hugepage_size", "hugepage", COLUMN_BYTES, .help = "bytes of a hugepage", .maybe = true},
        {"chunk_size", "chunk", COLUMN_BYTES, .help = "what clients map at a time", .maybe = true},
        {"exec", "exec", COLUMN_BOOL, .help = "whether it may be mapped for execution",
                .maybe = true},
        {"zero", "zero", COLUMN_TEXT,
                .help = "whether ranges are looked at before they go out: off or verify",
                .maybe = true},
        {"huge", "huge", COLUMN_TEXT, .help = "whether clients ask for huge pages: never or advise",
                .maybe = true},
        {"entries", "entries", COLUMN_NUMBER, .help = "of the pool's usage tree", .maybe = true},
        {"metadata", "metadata", COLUMN_BYTES, .help = "memory of the daemon for tree and holdings",
                .maybe = true},
};

const struct columns status_columns = RECORD_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))

/* Of a pool that there may not be. */
#define POOL_NUMBER(pool, field) ((pool) ? CELL_NUMBER((pool)->field) : CELL_NONE)

static int print(const struct filemem_status *status, const char *limits,
        const struct filemem_pool *pool, const struct options *options)
{
        const struct cell cells[] = {
                CELL_TEXT(status->version),
                CELL_NUMBER(status->pid),
                CELL_NUMBER(status->uptime_ns),
                CELL_NUMBER(status->sessions),
                CELL_NUMBER(status->sessions_total),
                CELL_NUMBER(status->requests),
                CELL_NUMBER(status->operations),
                CELL_NUMBER(status->refusals),
                CELL_NUMBER(status->protocol_errors),
                CELL_TEXT(status->accounting),
                CELL_NUMBER(status->scans),
                CELL_NUMBER(status->reclaimed),
                CELL_NUMBER(status->punches),
                CELL_NUMBER(status->punch_failures),
                CELL_NUMBER(status->max_message),
                CELL_NUMBER(status->max_operations),
                CELL_TEXT(limits),
                CELL_NUMBER(status->pools),
                pool ? CELL_TEXT(pool->name) : CELL_NONE,
                POOL_NUMBER(pool, sessions),
                POOL_NUMBER(pool, capacity),
                POOL_NUMBER(pool, size),
                POOL_NUMBER(pool, page_size),
                POOL_NUMBER(pool, hugepage_size),
                POOL_NUMBER(pool, chunk_size),
                POOL_NUMBER(pool, exec),
                pool ? CELL_TEXT(pool->zero_verify ? "verify" : "off") : CELL_NONE,
                pool ? CELL_TEXT(pool->huge_advise ? "advise" : "never") : CELL_NONE,
                POOL_NUMBER(pool, entries),
                POOL_NUMBER(pool, metadata),
        };

        _Static_assert(sizeof(cells) / sizeof(cells[0]) == COLUMNS, "a cell for each column");
        return table_print_record("status", &status_columns, cells, options);
}

int status_run(filemem_session *session, const struct options *options)
{
        struct filemem_status status;
        struct filemem_pool pool;
        char *limits = NULL;
        bool known;
        int r = filemem_status(session, &status);

        if (r < 0)
                return r;
        r = filemem_pool_info_of(session, options->pool ? options->pool : DEFAULT_POOL, &pool);
        /* Who asked for no pool gets what there is. */
        if (r < 0 && (options->pool || (r != -EPERM && r != -ENOENT)))
                return r;
        known = r == 0;
        r = limits_summary(session, options, &limits);
        if (r == 0)
                r = print(&status, limits, known ? &pool : NULL, options);
        free(limits);
        return r;
}
