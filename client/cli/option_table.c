// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include "map_options.h"
#include "parse.h"
#include "top_view.h"
#include "usage.h"

#include <string.h>

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const char *check_pool(const char *value)
{
        return value[0] ? NULL : "a pool has a name: 'filememctl pools' lists them";
}

static const char *check_socket(const char *value)
{
        return value[0] ? NULL : "the path is empty: say where the daemon listens";
}

static const char *check_range(const char *value)
{
        struct filemem_range range;

        return map_range_parse(value, &range)
                       ? NULL
                       : "say from where to where: 16M-1G, 0x200000-0x400000, 1G-, -64M";
}

static const char *check_rows(const char *value)
{
        size_t rows;

        return map_rows_parse(value, &rows) ? NULL : "say how many, from 1 to 1000";
}

/* Faster than that the daemon does not write its statistics. */
#define DELAY_MIN UINT64_C(100000000)
#define DELAY_MAX UINT64_C(3600000000000)

static const char *check_delay(const char *value)
{
        uint64_t delay = 0;
        const char *sentence = parse_time(value, &delay);

        if (sentence)
                return sentence;
        return delay >= DELAY_MIN && delay <= DELAY_MAX ? NULL : "say how long, from 100ms to 1h";
}

static const char *check_file(const char *value)
{
        return value[0] ? NULL : "the name is empty: say which file";
}

static const char *check_size(const char *value)
{
        return parse_size(value, NULL);
}

static const char *check_time(const char *value)
{
        return parse_time(value, NULL);
}

static const char *check_count(const char *value)
{
        return parse_count(value, NULL);
}

const struct option_info option_infos[OPTION_COUNT] = {
        [OPTION_SOCKET] = {"socket", 's', .argument = "PATH", .check = check_socket,
                .help = "where the daemon listens, if not in the usual places"},
        [OPTION_POOL] = {"pool", 'p', .argument = "POOL", .check = check_pool,
                .help = "the pool, if not the default one"},
        [OPTION_JSON] = {"json", 'j',
                .help = "JSON: {\"COMMAND\":[{...}]}, sizes in bytes, times in ns"},
        [OPTION_RAW] = {"raw", 'r',
                .help = "a space between columns, numbers as in JSON, - for none"},
        [OPTION_BYTES] = {"bytes", 'b', .help = "sizes in bytes instead of 1.5M"},
        [OPTION_NO_HEADER] = {"no-header", .help = "leave out the line above the columns, and "
                                                   "what is said below"},
        [OPTION_COLUMNS] = {"columns", 'o', .argument = "LIST",
                .help = "these columns, in this order; +LIST: these too; or all"},
        [OPTION_SORT] = {"sort", .argument = "COLUMN",
                .help = "smallest first in this column; -COLUMN: largest first"},
        [OPTION_COLOR] = {"color", .argument = "WHEN", .optional = true, .of = colors,
                .help = "auto (on a terminal, without $NO_COLOR), always or never"},
        [OPTION_KNOWN] = {"known", .help = "what the daemon knows, without asking the kernel"},
        [OPTION_RANGE] = {"range", .argument = "A-B", .check = check_range,
                .help = "of this part of the file only, as in 16M-1G"},
        [OPTION_ROWS] = {"rows", .argument = "N", .check = check_rows,
                .help = "in at most so many rows of cells"},
        [OPTION_SVG] = {"svg", .argument = "FILE", .check = check_file,
                .help = "as a picture for a browser; -: to standard output"},
        [OPTION_BY] = {"by", .argument = "WHAT", .of = usage_by_names,
                .help = "a line for each kind, session, uid, pool or label"},
        [OPTION_WATCH] = {"watch", 'w', .argument = "TIME", .optional = true, .check = check_time,
                .help = "again and again, with this time between, or a second"},
        [OPTION_DELTA] = {"delta", .argument = "TIME", .optional = true, .check = check_time,
                .help = "what changes in this time, or a second, or with --watch"},
        [OPTION_SINCE] = {"since", .argument = "FILE", .check = check_file,
                .help = "what has changed since --json wrote that file; -: standard input"},
        [OPTION_OVER] = {"over", .argument = "TIME", .check = check_time,
                .help = "rates over this time from now, instead of since the start"},
        [OPTION_IDLE] = {"idle", .argument = "TIME", .check = check_time,
                .help = "sessions that did nothing for so long; otherwise 1m"},
        [OPTION_FROM] = {"from", .argument = "OFFSET", .check = check_size,
                .help = "from this offset on"},
        [OPTION_LIMIT] = {"limit", 'n', .argument = "COUNT", .check = check_count,
                .help = "at most so many"},
        [OPTION_SESSION] = {"session", .argument = "SESSION", .check = check_count,
                .help = "of this session only"},
        [OPTION_SAMPLE] = {"sample", .argument = "COUNT", .check = check_count,
                .help = "one of so many"},
        [OPTION_BATCH] = {"batch", .help = "to standard output, where there is no terminal"},
        [OPTION_DELAY] = {"delay", 'd', .argument = "TIME", .check = check_delay,
                .help = "from one time to the next, from 100ms on; otherwise 1s"},
        [OPTION_ORDER] = {"order", .argument = "WHAT", .of = top_orders,
                .help = "what to sort by at first; otherwise growth"},
        [OPTION_YES] = {"yes", 'y', .help = "do not ask on a terminal"},
        [OPTION_PRIVATE] = {"private", .help = "in a new pool of its own, which ends with its last "
                                               "session"},
        [OPTION_READ_ONLY] = {"read-only", .help = "it sees the memory and changes nothing"},
        [OPTION_HELP] = {"help", 'h', .help = "what there is to say about it"},
        [OPTION_VERSION] = {"version", 'V', .help = "the version"},
};

const struct word_info word_infos[WORD_COUNT] = {
        [WORD_NONE] = {.name = ""},
        [WORD_POOL] = {"POOL", .say = "say which pool: 'filememctl pools' lists them"},
        [WORD_SESSION] = {"SESSION",
                .say = "say which session, by its number: 'filememctl sessions' lists them"},
        [WORD_RANGE] = {"RANGE", .say = "say which range, such as 0x200000-0x400000 or 2M+64K"},
        [WORD_COMMAND] = {"COMMAND", .say = "say which command: 'filememctl help' lists them"},
        [WORD_SHELL] = {"SHELL", .of = shells, .say = "say which shell: bash, zsh or fish"},
};

bool option_is_one_of(const char *value, const char *const *of)
{
        for (; *of; of++)
                if (!strcmp(*of, value))
                        return true;
        return false;
}
