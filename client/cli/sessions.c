// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

static const struct column columns[] = {
        {"session", "SESSION", COLUMN_NUMBER},
        {"pid", "PID", COLUMN_NUMBER},
        {"uid", "UID", COLUMN_NUMBER},
        {"gid", "GID", COLUMN_NUMBER},
        {"pool", "POOL", COLUMN_TEXT},
        {"age_ns", "AGE", COLUMN_TIME},
        {"held", "HELD", COLUMN_BYTES},
        {"holdings", "RANGES", COLUMN_NUMBER},
        {"requests", "REQUESTS", COLUMN_NUMBER},
        {"read_only", NULL, COLUMN_BOOL},
        {"parent", "PARENT", COLUMN_NUMBER},
        {"label", "LABEL", COLUMN_TEXT},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define PAGE    256

static int add(struct table *table, const struct filemem_session_info *info)
{
        const struct cell cells[COLUMNS] = {
                CELL_NUMBER(info->session),
                info->pid > 0 ? CELL_NUMBER((uint64_t)info->pid) : CELL_NONE,
                CELL_NUMBER(info->uid),
                CELL_NUMBER(info->gid),
                info->pool[0] ? CELL_TEXT(info->pool) : CELL_NONE,
                CELL_NUMBER(info->age_ns),
                CELL_NUMBER(info->held),
                CELL_NUMBER(info->holdings),
                CELL_NUMBER(info->requests),
                CELL_NUMBER(info->read_only),
                info->parent ? CELL_NUMBER(info->parent) : CELL_NONE,
                CELL_TEXT(info->label),
        };

        return table_add(table, cells);
}

static int add_all(struct table *table, filemem_session *session)
{
        struct filemem_session_info infos[PAGE];
        uint64_t after = 0;
        int count;

        while ((count = filemem_sessions(session, after, infos, PAGE)) > 0) {
                for (int i = 0; i < count; i++) {
                        int r = add(table, &infos[i]);

                        if (r < 0)
                                return r;
                }
                after = infos[count - 1].session;
        }
        return count;
}

int sessions_run(filemem_session *session, const struct options *options)
{
        struct table *table;
        int r = table_new("sessions", columns, COLUMNS, options, &table);

        if (r < 0)
                return r;
        r = add_all(table, session);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
