// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

static const struct column list[] = {
        {"id", "ID", COLUMN_NUMBER, .help = "never used again by this daemon", .extra = true},
        {"pool", "POOL", COLUMN_TEXT, .help = "its name"},
        {"state", "STATE", COLUMN_TEXT, .help = "open, draining or destroyed"},
        {"private", "PRIVATE", COLUMN_BOOL, .help = "whether it has no name to join it by",
                .extra = true},
        {"uid", "UID", COLUMN_NUMBER, .help = "of a private one: who made it", .maybe = true},
        {"sessions", "SESSIONS", COLUMN_NUMBER, .help = "that are in it"},
        {"capacity", "CAPACITY", COLUMN_BYTES, .help = "the most that it can hold"},
        {"size", "SIZE", COLUMN_BYTES, .help = "of its file in use so far"},
        {"allocated", "ALLOCATED", COLUMN_BYTES, .help = "bytes that somebody holds"},
        {"committed", "COMMITTED", COLUMN_BYTES,
                .help = "of them, stored by the kernel, as far as known"},
        {"exec", "EXEC", COLUMN_BOOL, .help = "whether it may be mapped for execution"},
        {"entries", "ENTRIES", COLUMN_NUMBER, .help = "of its usage tree", .extra = true},
        {"metadata", "METADATA", COLUMN_BYTES, .help = "memory of the daemon for tree and holdings",
                .extra = true},
};

const struct columns pools_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))
#define PAGE    256

static const char *state_name(enum filemem_pool_state state)
{
        switch (state) {
        case FILEMEM_POOL_OPEN:
                return "open";
        case FILEMEM_POOL_DRAINING:
                return "draining";
        case FILEMEM_POOL_DESTROYED:
                return "destroyed";
        default:
                return "?";
        }
}

static int add(struct table *table, const struct filemem_pool *pool)
{
        const struct cell cells[] = {
                CELL_NUMBER(pool->id),
                CELL_TEXT(pool->name),
                CELL_TEXT(state_name(pool->state)),
                CELL_NUMBER(pool->private_pool),
                pool->private_pool ? CELL_NUMBER(pool->uid) : CELL_NONE,
                CELL_NUMBER(pool->sessions),
                CELL_NUMBER(pool->capacity),
                CELL_NUMBER(pool->size),
                CELL_NUMBER(pool->allocated),
                CELL_NUMBER(pool->committed),
                CELL_NUMBER(pool->exec),
                CELL_NUMBER(pool->entries),
                CELL_NUMBER(pool->metadata),
        };

        _Static_assert(sizeof(cells) / sizeof(cells[0]) == COLUMNS, "a cell for each column");
        return table_add(table, cells);
}

static int add_all(struct table *table, filemem_session *session)
{
        struct filemem_pool pools[PAGE];
        uint64_t after = 0;
        int count;

        while ((count = filemem_pools(session, after, pools, PAGE)) > 0) {
                for (int i = 0; i < count; i++) {
                        int r = add(table, &pools[i]);

                        if (r < 0)
                                return r;
                }
                after = pools[count - 1].id;
        }
        return count;
}

int pools_run(filemem_session *session, const struct options *options)
{
        struct table *table;
        int r = table_new("pools", &pools_columns, options, &table);

        if (r < 0)
                return r;
        r = add_all(table, session);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
