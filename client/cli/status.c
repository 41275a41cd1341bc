// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

#include <errno.h>

static const struct column columns[] = {
        {"version", "version", COLUMN_TEXT},
        {"pid", "pid", COLUMN_NUMBER},
        {"uptime_ns", "up for", COLUMN_TIME},
        {"sessions", "sessions", COLUMN_NUMBER},
        {"sessions_total", "sessions since the start", COLUMN_NUMBER},
        {"requests", "requests", COLUMN_NUMBER},
        {"operations", "operations", COLUMN_NUMBER},
        {"refusals", "refusals", COLUMN_NUMBER},
        {"protocol_errors", "protocol errors", COLUMN_NUMBER},
        {"accounting", "accounting", COLUMN_TEXT},
        {"scans", "scans", COLUMN_NUMBER},
        {"reclaimed", "reclaimed", COLUMN_BYTES},
        {"punches", "punches", COLUMN_NUMBER},
        {"punch_failures", "punch failures", COLUMN_NUMBER},
        {"max_message", "largest message", COLUMN_BYTES},
        {"max_operations", "operations in a request", COLUMN_NUMBER},
        {"pools", "pools", COLUMN_NUMBER},
        {"pool", "pool", COLUMN_TEXT},
        {"pool_sessions", "sessions in it", COLUMN_NUMBER},
        {"capacity", "capacity", COLUMN_BYTES},
        {"size", "size", COLUMN_BYTES},
        {"page_size", "page", COLUMN_BYTES},
        {"hugepage_size", "hugepage", COLUMN_BYTES},
        {"chunk_size", "chunk", COLUMN_BYTES},
        {"exec", "exec", COLUMN_BOOL},
        {"zero", "zero", COLUMN_TEXT},
        {"huge", "huge", COLUMN_TEXT},
        {"entries", "entries", COLUMN_NUMBER},
        {"metadata", "metadata", COLUMN_BYTES},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Of a pool that there may not be. */
#define POOL_NUMBER(pool, field) ((pool) ? CELL_NUMBER((pool)->field) : CELL_NONE)

static int print(const struct filemem_status *status, const struct filemem_pool *pool,
        const struct options *options)
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
        return table_print_record("status", columns, cells, COLUMNS, options);
}

int status_run(filemem_session *session, const struct options *options)
{
        struct filemem_status status;
        struct filemem_pool pool;
        int r = filemem_status(session, &status);

        if (r < 0)
                return r;
        r = filemem_pool_info_of(session, options->pool ? options->pool : DEFAULT_POOL, &pool);
        /* Who asked for no pool gets what there is. */
        if (r < 0 && (options->pool || (r != -EPERM && r != -ENOENT)))
                return r;
        return print(&status, r < 0 ? NULL : &pool, options);
}
