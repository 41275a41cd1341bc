// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "human.h"
#include "parse.h"
#include "session_list.h"
#include "table.h"

#include <errno.h>

static const struct column list[] = {
        {"start", "START", COLUMN_OFFSET, .help = "first byte"},
        {"end", "END", COLUMN_OFFSET, .help = "first byte after it"},
        {"length", "LENGTH", COLUMN_BYTES, .help = "end minus start"},
        {"kind", "KIND", COLUMN_TEXT, .help = "what the range is for"},
        {"count", "COUNT", COLUMN_NUMBER,
                .help = "references of the session; 4294967295: being prepared"},
        {"refs", "REFS", COLUMN_NUMBER, .help = "references of all sessions"},
        {"committed", "COMMITTED", COLUMN_BYTES,
                .help = "stored by the kernel, whoever else holds it"},
        {"estimated", "ESTIMATED", COLUMN_BOOL, .help = "whether committed is an estimate",
                .extra = true},
};

const struct columns session_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))
#define PAGE    512

static int add(struct table *table, const struct filemem_holding *holding)
{
        const char *kind = filemem_kind_name(holding->kind);
        const struct cell cells[COLUMNS] = {
                CELL_NUMBER(holding->range.start),
                CELL_NUMBER(holding->range.end),
                CELL_NUMBER(holding->range.end - holding->range.start),
                CELL_TEXT(kind ? kind : "?"),
                CELL_NUMBER(holding->count),
                CELL_NUMBER(holding->refs),
                CELL_NUMBER(holding->committed),
                CELL_NUMBER(holding->estimated),
        };

        return table_add(table, cells);
}

/* What there was, and where to go on: 0 if that was all. */
struct sum {
        uint64_t ranges;
        uint64_t bytes;
        uint64_t committed;
        uint64_t next;
};

static int add_all(
        struct table *table, filemem_session *session, uint64_t id, uint64_t limit, struct sum *sum)
{
        struct filemem_holding holdings[PAGE];
        int count;

        while (limit) {
                size_t most = limit < PAGE ? (size_t)limit : PAGE;

                count = filemem_holdings(session, id, sum->next, holdings, most);
                if (count == 0)
                        sum->next = 0;
                if (count <= 0)
                        return count;
                limit -= (uint64_t)count;
                sum->next = holdings[count - 1].range.end;
                for (int i = 0; i < count; i++) {
                        int r = add(table, &holdings[i]);

                        if (r < 0)
                                return r;
                        sum->ranges++;
                        sum->bytes += holdings[i].range.end - holdings[i].range.start;
                        sum->committed += holdings[i].committed;
                }
        }
        return 0;
}

/* For people, below the table. */
static void print_footer(const struct options *options, const struct sum *sum)
{
        char bytes[HUMAN_MAX], committed[HUMAN_MAX];

        printf("%llu part%s, %s, of which %s is committed.\n", (unsigned long long)sum->ranges,
                human_plural(sum->ranges), human_size(sum->bytes, bytes),
                human_size(sum->committed, committed));
        if (sum->next)
                printf("There may be more: filememctl session %llu --from %#llx\n",
                        (unsigned long long)options->session, (unsigned long long)sum->next);
}

int session_run(filemem_session *session, const struct options *options)
{
        struct sum sum = {0};
        uint64_t limit = UINT64_MAX;
        struct table *table;
        int r = table_new("session", &session_columns, options, &table);

        if (r < 0)
                return r;
        if (option_is_given(options, OPTION_FROM))
                parse_size(options->value[OPTION_FROM], &sum.next);
        if (option_is_given(options, OPTION_LIMIT))
                parse_count(options->value[OPTION_LIMIT], &limit);
        r = add_all(table, session, options->session, limit, &sum);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        if (r == 0 && options_for_people(options) && !options->no_header)
                print_footer(options, &sum);
        return r;
}
