// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "command.h"
#include "parse.h"
#include "session_list.h"
#include "table.h"

static const struct column list[] = {
        {"session", "SESSION", COLUMN_NUMBER, .help = "its number"},
        {"pid", "PID", COLUMN_NUMBER, .help = "the process that connected", .maybe = true},
        {"uid", "UID", COLUMN_NUMBER, .help = "its user"},
        {"gid", "GID", COLUMN_NUMBER, .help = "its group", .extra = true},
        {"pool", "POOL", COLUMN_TEXT, .help = "the pool that it is in", .maybe = true},
        {"access", "ACCESS", COLUMN_TEXT, .help = "rw, ro (reads only) or none (in no pool)"},
        {"age_ns", "AGE", COLUMN_TIME, .help = "since it connected"},
        {"idle_ns", "IDLE", COLUMN_TIME, .help = "since something came from it"},
        {"held", "HELD", COLUMN_BYTES, .help = "bytes of the ranges that it holds"},
        {"holdings", "RANGES", COLUMN_NUMBER, .help = "how many ranges these are"},
        {"allocated_rate", "ALLOC/S", COLUMN_BYTES, .help = "bytes that it is given in a second"},
        {"released_rate", "FREED/S", COLUMN_BYTES, .help = "bytes that it gives up in a second"},
        {"operation_rate", "OPS/S", COLUMN_NUMBER, .help = "operations in a second"},
        {"queued", "QUEUE", COLUMN_BYTES, .help = "bytes of replies that it has not taken"},
        {"waiting", "WAITING", COLUMN_BOOL, .help = "whether a request of it is under way",
                .extra = true},
        {"requests", "REQUESTS", COLUMN_NUMBER, .help = "that it has sent", .extra = true},
        {"operations", "OPERATIONS", COLUMN_NUMBER, .help = "in these", .extra = true},
        {"refusals", "REFUSALS", COLUMN_NUMBER, .help = "of these", .extra = true},
        {"allocated", "ALLOCATED", COLUMN_BYTES, .help = "bytes that it was given so far",
                .extra = true},
        {"released", "RELEASED", COLUMN_BYTES, .help = "bytes that it gave up so far",
                .extra = true},
        {"read_only", "READ-ONLY", COLUMN_BOOL, .help = "whether it may only read", .extra = true},
        {"parent", "PARENT", COLUMN_NUMBER, .help = "of a peer: the session that opened it",
                .maybe = true},
        {"command", "COMMAND", COLUMN_TEXT, .help = "what the process runs", .maybe = true},
        {"label", "LABEL", COLUMN_TEXT, .help = "what it says that it is", .maybe = true},
};

const struct columns sessions_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))

/* So much in so many ns, in a second. */
static uint64_t rate(uint64_t amount, uint64_t ns)
{
        return ns ? (uint64_t)((__uint128_t)amount * 1000000000 / ns) : 0;
}

/* What has changed since then; of one that is new, since it connected. */
static uint64_t grown(uint64_t now, const uint64_t *then)
{
        return then && *then <= now ? now - *then : now;
}

static const char *access_name(const struct filemem_session_info *info)
{
        if (!info->pool[0])
                return "none";
        return info->read_only ? "ro" : "rw";
}

static int add(struct table *table, const struct filemem_session_info *info,
        const struct filemem_session_info *then)
{
        char text[SESSION_COMMAND_MAX];
        const char *command = session_command(info, text);
        uint64_t ns = grown(info->age_ns, then ? &then->age_ns : NULL);
        const struct cell cells[] = {
                CELL_NUMBER(info->session),
                info->pid > 0 ? CELL_NUMBER((uint64_t)info->pid) : CELL_NONE,
                CELL_NUMBER(info->uid),
                CELL_NUMBER(info->gid),
                info->pool[0] ? CELL_TEXT(info->pool) : CELL_NONE,
                CELL_TEXT(access_name(info)),
                CELL_NUMBER(info->age_ns),
                CELL_NUMBER(info->idle_ns),
                CELL_NUMBER(info->held),
                CELL_NUMBER(info->holdings),
                CELL_NUMBER(rate(grown(info->allocated, then ? &then->allocated : NULL), ns)),
                CELL_NUMBER(rate(grown(info->released, then ? &then->released : NULL), ns)),
                CELL_NUMBER(rate(grown(info->operations, then ? &then->operations : NULL), ns)),
                CELL_NUMBER(info->queued),
                CELL_NUMBER(info->waiting),
                CELL_NUMBER(info->requests),
                CELL_NUMBER(info->operations),
                CELL_NUMBER(info->refusals),
                CELL_NUMBER(info->allocated),
                CELL_NUMBER(info->released),
                CELL_NUMBER(info->read_only),
                info->parent ? CELL_NUMBER(info->parent) : CELL_NONE,
                command ? CELL_TEXT(command) : CELL_NONE,
                CELL_TEXT(info->label),
        };

        _Static_assert(sizeof(cells) / sizeof(cells[0]) == COLUMNS, "a cell for each column");
        return table_add(table, cells);
}

static int print(const struct session_list *now, const struct session_list *then,
        const struct options *options)
{
        struct table *table;
        int r = table_new("sessions", &sessions_columns, options, &table);

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < now->count; i++)
                r = add(table, &now->infos[i], session_list_find(then, now->infos[i].session));
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

int sessions_run(filemem_session *session, const struct options *options)
{
        struct session_list then = {0}, now = {0};
        uint64_t over;
        int r = 0;

        if (option_is_given(options, OPTION_OVER)) {
                parse_time(options->value[OPTION_OVER], &over);
                r = session_list_ask(session, options->pool, &then);
                if (r == 0)
                        clock_wait(over);
        }
        if (r == 0)
                r = session_list_ask(session, options->pool, &now);
        if (r == 0)
                r = print(&now, &then, options);
        /* Only where a pool was named: else there is this session. */
        if (r == 0 && !now.count && options_for_people(options) && !options->no_header)
                puts("No session that you may see is in that pool.");
        session_list_free(&now);
        session_list_free(&then);
        return r;
}
