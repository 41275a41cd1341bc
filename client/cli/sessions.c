// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

static const struct column list[] = {
        {"session", "SESSION", COLUMN_NUMBER, .help = "its number"},
        {"pid", "PID", COLUMN_NUMBER, .help = "the process that connected", .maybe = true},
        {"uid", "UID", COLUMN_NUMBER, .help = "its user"},
        {"gid", "GID", COLUMN_NUMBER, .help = "its group"},
        {"pool", "POOL", COLUMN_TEXT, .help = "the pool that it is in", .maybe = true},
        {"age_ns", "AGE", COLUMN_TIME, .help = "since it connected"},
        {"held", "HELD", COLUMN_BYTES, .help = "bytes of the ranges that it holds"},
        {"holdings", "RANGES", COLUMN_NUMBER, .help = "how many ranges these are"},
        {"requests", "REQUESTS", COLUMN_NUMBER, .help = "that it has sent"},
        {"read_only", "READ ONLY", COLUMN_BOOL, .help = "whether it may only read", .extra = true},
        {"parent", "PARENT", COLUMN_NUMBER, .help = "of a peer: the session that opened it",
                .maybe = true},
        {"label", "LABEL", COLUMN_TEXT, .help = "what it says that it is", .maybe = true},
};

const struct columns sessions_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))
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
        int r = table_new("sessions", &sessions_columns, options, &table);

        if (r < 0)
                return r;
        r = add_all(table, session);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}
