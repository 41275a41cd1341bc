// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

static const struct column columns[] = {
        {"id", NULL, COLUMN_NUMBER},
        {"pool", "POOL", COLUMN_TEXT},
        {"state", "STATE", COLUMN_TEXT},
        {"private", NULL, COLUMN_BOOL},
        {"uid", "UID", COLUMN_NUMBER},
        {"sessions", "SESSIONS", COLUMN_NUMBER},
        {"capacity", "CAPACITY", COLUMN_BYTES},
        {"size", "SIZE", COLUMN_BYTES},
        {"allocated", "ALLOCATED", COLUMN_BYTES},
        {"committed", "COMMITTED", COLUMN_BYTES},
        {"exec", "EXEC", COLUMN_BOOL},
        {"entries", NULL, COLUMN_NUMBER},
        {"metadata", NULL, COLUMN_BYTES},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
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
        int r = table_new("pools", columns, COLUMNS, options, &table);

        if (r < 0)
                return r;
        r = add_all(table, session);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
