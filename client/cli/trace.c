// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "command.h"
#include "parse.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const struct column list[] = {
        {"time", "TIME", COLUMN_TEXT, .help = "when, by the clock of this host"},
        {"at_ns", "AT", COLUMN_NUMBER, .help = "the same in ns since 1970", .extra = true},
        {"session", "SESSION", COLUMN_NUMBER, .help = "who"},
        {"operation", "OPERATION", COLUMN_TEXT, .help = "what, as the protocol calls it"},
        {"error", "ERROR", COLUMN_TEXT, .help = "why it was refused, or nothing", .maybe = true},
        {"start", "START", COLUMN_OFFSET, .help = "first byte", .maybe = true},
        {"end", "END", COLUMN_OFFSET, .help = "first byte after it", .maybe = true},
        {"length", "LENGTH", COLUMN_BYTES, .help = "how much", .maybe = true},
        {"kind", "KIND", COLUMN_TEXT, .help = "what an allocation is for", .maybe = true},
        {"lost", "LOST", COLUMN_NUMBER, .help = "events that came too fast, since the ones before",
                .extra = true},
};

const struct columns trace_columns = COLUMNS_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))
#define PAGE    512
#define PAUSE   UINT64_C(100000000) /* ns */

static const char *format_time(uint64_t ns, char *text, size_t size)
{
        time_t seconds = (time_t)(ns / 1000000000);
        struct tm parts;
        size_t used;

        localtime_r(&seconds, &parts);
        used = strftime(text, size, "%H:%M:%S", &parts);
        snprintf(text + used, size - used, ".%06" PRIu64, ns % 1000000000 / 1000);
        return text;
}

static int add(struct table *table, const struct filemem_event *event, uint64_t at, uint64_t lost)
{
        bool allocation = !strcmp(event->operation, "allocate");
        bool range = event->range.start < event->range.end;
        bool placed = range && !(allocation && event->error);
        const char *kind = allocation ? filemem_kind_name(event->kind) : NULL;
        char time[32];
        const struct cell cells[] = {
                CELL_TEXT(format_time(at, time, sizeof(time))),
                CELL_NUMBER(at),
                CELL_NUMBER(event->session),
                CELL_TEXT(event->operation),
                event->error ? (struct cell){.present = true,
                                       .text = strerrorname_np(-event->error),
                                       .color = COLOR_BAD}
                             : CELL_NONE,
                placed ? CELL_NUMBER(event->range.start) : CELL_NONE,
                placed ? CELL_NUMBER(event->range.end) : CELL_NONE,
                range ? CELL_NUMBER(event->range.end - event->range.start) : CELL_NONE,
                kind ? CELL_TEXT(kind) : CELL_NONE,
                CELL_NUMBER(lost),
        };

        _Static_assert(sizeof(cells) / sizeof(cells[0]) == COLUMNS, "a cell for each column");
        return table_add(table, cells);
}

/* What was lost is told with the first event that came after. */
static int print(
        const struct filemem_event *events, int count, uint64_t lost, const struct options *options)
{
        uint64_t time = clock_real();
        struct table *table;
        int r = table_new("trace", &trace_columns, options, &table);

        if (r < 0)
                return r;
        for (int i = 0; r == 0 && i < count; i++)
                r = add(table, &events[i], time - events[i].age_ns, i ? 0 : lost);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

static void complain_of_lost(uint64_t lost, const struct options *options)
{
        if (options_for_people(options))
                fprintf(stderr,
                        "filememctl: trace: %" PRIu64 " events came too fast; --sample 10 has one "
                        "of ten\n",
                        lost);
}

static void get_options(const struct options *options, struct filemem_trace_options *ret)
{
        uint64_t number;

        *ret = (struct filemem_trace_options){.size = sizeof(*ret), .pool = options->pool};
        if (option_is_given(options, OPTION_SESSION))
                parse_count(options->value[OPTION_SESSION], &ret->session);
        if (option_is_given(options, OPTION_SAMPLE)) {
                parse_count(options->value[OPTION_SAMPLE], &number);
                ret->sample = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
        }
}

/* Until there were as many as were asked for, or nobody reads. */
int trace_run(filemem_session *session, const struct options *options)
{
        struct options following = *options;
        struct filemem_trace_options how;
        struct filemem_event events[PAGE];
        uint64_t left = UINT64_MAX, lost = 0;

        get_options(options, &how);
        if (option_is_given(options, OPTION_LIMIT))
                parse_count(options->value[OPTION_LIMIT], &left);
        while (left) {
                size_t most = left < PAGE ? (size_t)left : PAGE;
                int count = filemem_trace(session, &how, events, most, &lost), r;

                if (count < 0)
                        return count;
                if (lost)
                        complain_of_lost(lost, options);
                r = count ? print(events, count, lost, &following) : 0;
                if (r < 0)
                        return r;
                if (fflush(stdout) != 0)
                        return 0; /* which is told at the end */
                left -= (uint64_t)count;
                following.no_header |= count > 0;
                if (left && (size_t)count < most)
                        clock_wait(PAUSE);
        }
        return 0;
}
