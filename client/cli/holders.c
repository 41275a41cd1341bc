// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "human.h"
#include "parse.h"
#include "session_list.h"
#include "table.h"

static const struct column list[] = {
        {"session", "SESSION", COLUMN_NUMBER, .help = "its number"},
        {"pid", "PID", COLUMN_NUMBER, .help = "the process that connected", .maybe = true},
        {"uid", "UID", COLUMN_NUMBER, .help = "its user", .maybe = true},
        {"held", "HELD", COLUMN_BYTES, .help = "bytes of the range that it holds"},
        {"most", "MOST", COLUMN_NUMBER, .help = "the most references that it has on a page of it"},
        {"more", "MORE", COLUMN_BOOL,
                .help = "whether it has more ranges there than were looked at", .extra = true},
        {"command", "COMMAND", COLUMN_TEXT, .help = "what the process runs", .maybe = true},
        {"label", "LABEL", COLUMN_TEXT, .help = "what it says that it is", .maybe = true},
};

const struct columns holders_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))
#define PAGE    256

static int add(struct table *table, const struct filemem_holder *holder,
        const struct filemem_session_info *info)
{
        char text[SESSION_COMMAND_MAX];
        const char *command = session_command(info, text);
        const struct cell cells[COLUMNS] = {
                CELL_NUMBER(holder->session),
                info && info->pid > 0 ? CELL_NUMBER((uint64_t)info->pid) : CELL_NONE,
                info ? CELL_NUMBER(info->uid) : CELL_NONE,
                CELL_NUMBER(holder->held),
                CELL_NUMBER(holder->most),
                CELL_NUMBER(holder->more),
                command ? CELL_TEXT(command) : CELL_NONE,
                info ? CELL_TEXT(info->label) : CELL_NONE,
        };

        return table_add(table, cells);
}

static int add_all(struct table *table, filemem_session *session, const struct options *options,
        const struct session_list *sessions, uint64_t *shown, uint64_t *hidden)
{
        const char *pool = options->pool ? options->pool : DEFAULT_POOL;
        struct filemem_holder holders[PAGE];
        struct filemem_range range;
        uint64_t after = 0;
        int count;

        parse_range(options->word, &range);
        while ((count = filemem_holders(session, pool, range, after, holders, PAGE, hidden)) > 0) {
                for (int i = 0; i < count; i++) {
                        int r = add(table, &holders[i],
                                session_list_find(sessions, holders[i].session));

                        if (r < 0)
                                return r;
                }
                after = holders[count - 1].session;
                *shown += (uint64_t)count;
        }
        return count;
}

/* shown: sessions of the table. */
static void print_footer(uint64_t shown, uint64_t hidden)
{
        if (hidden)
                printf("%llu %ssession%s of other users hold%s some of it; an administrator sees "
                       "more.\n",
                        (unsigned long long)hidden, shown ? "more " : "", human_plural(hidden),
                        hidden == 1 ? "s" : "");
        else if (!shown)
                puts("Nobody holds any of it.");
}

int holders_run(filemem_session *session, const struct options *options)
{
        struct session_list sessions = {0};
        uint64_t shown = 0, hidden = 0;
        struct table *table;
        int r = table_new("holders", &holders_columns, options, &table);

        if (r < 0)
                return r;
        r = session_list_ask(session, NULL, &sessions);
        if (r == 0)
                r = add_all(table, session, options, &sessions, &shown, &hidden);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        session_list_free(&sessions);
        if (r == 0 && options_for_people(options) && !options->no_header)
                print_footer(shown, hidden);
        return r;
}
