// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "human.h"
#include "parse.h"
#include "session_list.h"
#include "table.h"

#include <errno.h>

/* A client that holds memory and says nothing for long may have forgotten it. Or it uses it: that
 * takes no message. So these are for people to look at. */
static const struct column list[] = {
        {"session", "SESSION", COLUMN_NUMBER, .help = "who holds it"},
        {"pid", "PID", COLUMN_NUMBER, .help = "the process that connected", .maybe = true},
        {"uid", "UID", COLUMN_NUMBER, .help = "its user"},
        {"pool", "POOL", COLUMN_TEXT, .help = "the pool that it is in"},
        {"idle_ns", "IDLE", COLUMN_TIME, .help = "since something came from the session"},
        {"age_ns", "AGE", COLUMN_TIME, .help = "since the session connected", .extra = true},
        {"start", "START", COLUMN_OFFSET, .help = "first byte"},
        {"end", "END", COLUMN_OFFSET, .help = "first byte after it"},
        {"length", "LENGTH", COLUMN_BYTES, .help = "end minus start"},
        {"kind", "KIND", COLUMN_TEXT, .help = "what the range is for"},
        {"refs", "REFS", COLUMN_NUMBER, .help = "references of all sessions", .extra = true},
        {"committed", "COMMITTED", COLUMN_BYTES, .help = "stored by the kernel"},
        {"command", "COMMAND", COLUMN_TEXT, .help = "what the process runs", .maybe = true},
        {"label", "LABEL", COLUMN_TEXT, .help = "what it says that it is", .maybe = true},
};

const struct columns leaks_columns = COLUMNS_OF(list);

#define COLUMNS      (sizeof(list) / sizeof(list[0]))
#define PAGE         512
#define IDLE_DEFAULT (UINT64_C(60) * 1000000000)

static int add(struct table *table, const struct filemem_session_info *info, const char *command,
        const struct filemem_holding *holding)
{
        const char *kind = filemem_kind_name(holding->kind);
        const struct cell cells[COLUMNS] = {
                CELL_NUMBER(info->session),
                info->pid > 0 ? CELL_NUMBER((uint64_t)info->pid) : CELL_NONE,
                CELL_NUMBER(info->uid),
                CELL_TEXT(info->pool),
                CELL_NUMBER(info->idle_ns),
                CELL_NUMBER(info->age_ns),
                CELL_NUMBER(holding->range.start),
                CELL_NUMBER(holding->range.end),
                CELL_NUMBER(holding->range.end - holding->range.start),
                CELL_TEXT(kind ? kind : "?"),
                CELL_NUMBER(holding->refs),
                CELL_NUMBER(holding->committed),
                command ? CELL_TEXT(command) : CELL_NONE,
                CELL_TEXT(info->label),
        };

        return table_add(table, cells);
}

/* All that one session holds. It may end meanwhile: then that was no leak. */
static int add_session(
        struct table *table, filemem_session *session, const struct filemem_session_info *info)
{
        struct filemem_holding holdings[PAGE];
        char text[SESSION_COMMAND_MAX];
        const char *command = session_command(info, text);
        uint64_t from = 0;
        int count;

        while ((count = filemem_holdings(session, info->session, from, holdings, PAGE)) > 0) {
                for (int i = 0; i < count; i++) {
                        int r = add(table, info, command, &holdings[i]);

                        if (r < 0)
                                return r;
                }
                from = holdings[count - 1].range.end;
        }
        return count == -ENOENT ? 0 : count;
}

struct sum {
        uint64_t sessions;
        uint64_t held;
};

static int add_all(struct table *table, filemem_session *session,
        const struct session_list *sessions, uint64_t idle, struct sum *sum)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < sessions->count; i++) {
                const struct filemem_session_info *info = &sessions->infos[i];

                if (!info->held || info->idle_ns < idle)
                        continue;
                sum->sessions++;
                sum->held += info->held;
                r = add_session(table, session, info);
        }
        return r;
}

static void print_footer(const struct sum *sum, uint64_t idle)
{
        char held[HUMAN_MAX], time[HUMAN_MAX];

        if (sum->sessions)
                printf("%llu session%s that said nothing for %s hold%s %s.\n",
                        (unsigned long long)sum->sessions, human_plural(sum->sessions),
                        human_time(idle, time), sum->sessions == 1 ? "s" : "",
                        human_size(sum->held, held));
        else
                printf("No session that holds anything said nothing for %s.\n",
                        human_time(idle, time));
}

int leaks_run(filemem_session *session, const struct options *options)
{
        struct session_list sessions = {0};
        uint64_t idle = IDLE_DEFAULT;
        struct sum sum = {0};
        struct table *table;
        int r = table_new("leaks", &leaks_columns, options, &table);

        if (r < 0)
                return r;
        if (option_is_given(options, OPTION_IDLE))
                parse_time(options->value[OPTION_IDLE], &idle);
        table_sort(table, "-length");
        r = session_list_ask(session, options->pool, &sessions);
        if (r == 0)
                r = add_all(table, session, &sessions, idle, &sum);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        session_list_free(&sessions);
        if (r == 0 && options_for_people(options) && !options->no_header)
                print_footer(&sum, idle);
        return r;
}
