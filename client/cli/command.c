// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <string.h>

#define OPTIONS_COMMON (OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_COLOR))

#define OPTIONS_TABLE                                                                              \
        (OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_RAW) | OPTION_BIT(OPTION_BYTES) |             \
                OPTION_BIT(OPTION_NO_HEADER) | OPTION_BIT(OPTION_COLUMNS))

#define POOL OPTION_BIT(OPTION_POOL)
#define YES  OPTION_BIT(OPTION_YES)

static const struct command commands[] = {
        {"ping", "ask the daemon for an answer, and say how long it took", .columns = &ping_columns,
                .run = ping_run},
        {"status", "the daemon and a pool, in numbers", .word = WORD_POOL, .options = POOL,
                .columns = &status_columns, .run = status_run},
        {"usage", "where the memory has gone", .word = WORD_POOL,
                .options = POOL | OPTION_BIT(OPTION_KNOWN) | OPTION_BIT(OPTION_BY) |
                           OPTION_BIT(OPTION_WATCH) | OPTION_BIT(OPTION_DELTA) |
                           OPTION_BIT(OPTION_SINCE),
                .columns = &usage_columns, .run = usage_run,
                .text = "Of the default pool by kind, else of all pools, unless one is named. The "
                        "daemon asks the\nkernel first; if it is asked too often it answers from "
                        "before, and says how old its\nnumbers are."},
        {"pools", "the pools that you may know of", .columns = &pools_columns, .run = pools_run},
        {"limits", "what may be used at most, and what is used", .word = WORD_POOL, .options = POOL,
                .columns = &limits_columns, .run = limits_run},
        {"sessions", "who is connected, and what they hold", .word = WORD_POOL,
                .columns = &sessions_columns, .options = POOL | OPTION_BIT(OPTION_OVER),
                .run = sessions_run,
                .text = "Administrators see all sessions, those of a pool the ones in it, and "
                        "users their own.\nRates are those since a session connected, unless "
                        "--over asks twice."},
        {"session", "what a session holds", .word = WORD_SESSION, .word_needed = true,
                .options = OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_LIMIT),
                .columns = &session_columns, .run = session_run,
                .text = "What several sessions hold is shown for each of them, with all of what "
                        "is committed."},
        {"holders", "the sessions that hold a range, or some of it", .word = WORD_RANGE,
                .word_needed = true, .options = POOL, .columns = &holders_columns,
                .run = holders_run,
                .text = "A range is START-END, START+LENGTH, or START for the page that begins "
                        "there."},
        {"leaks", "what sessions hold that did nothing for long", .word = WORD_POOL,
                .options = POOL | OPTION_BIT(OPTION_IDLE), .columns = &leaks_columns,
                .run = leaks_run,
                .text = "Largest first. Memory can be used without a message to the daemon, so "
                        "these are places\nto look at, and no proof."},
        {"trace", "what sessions do, while they do it", .word = WORD_POOL,
                .options = POOL | OPTION_BIT(OPTION_SESSION) | OPTION_BIT(OPTION_SAMPLE) |
                           OPTION_BIT(OPTION_LIMIT),
                .columns = &trace_columns, .run = trace_run,
                .text = "Of all pools, unless one is named; administrators see all sessions, "
                        "those of a pool\nthe ones in it, and users their own. The daemon waits "
                        "for nobody: what comes too fast\nis lost, and counted."},
        {"trim", "give back to the kernel what nobody holds, now", .word = WORD_POOL,
                .options = POOL, .columns = &trim_columns, .run = trim_run,
                .text = "Freed ranges and stray pages; waits until that is done. For "
                        "administrators of the pool,\nand for the user of a private one."},
        {"dump", "every range of a pool", .word = WORD_POOL, .options = POOL,
                .columns = &dump_columns, .run = dump_run},
        {"map", "a pool's file as a picture", .word = WORD_POOL,
                .options = POOL | OPTION_BIT(OPTION_KNOWN) | OPTION_BIT(OPTION_RANGE) |
                           OPTION_BIT(OPTION_ROWS) | OPTION_BIT(OPTION_SVG),
                .columns = &map_columns, .run = map_run,
                .text = "Each character is a run of pages; the legend says of what. With --json, "
                        "--raw or\n--columns the same as a table. Who may join the pool sees where "
                        "stray pages are."},
        {"top", "sessions and what they do, as it goes on",
                .options = OPTION_BIT(OPTION_BATCH) | OPTION_BIT(OPTION_LIMIT) |
                           OPTION_BIT(OPTION_DELAY) | OPTION_BIT(OPTION_ORDER),
                .run = top_run, .text = "A full screen: h shows the keys, q ends it."},
        {"gaps", "how fragmented a pool's file is", .word = WORD_POOL,
                .options = POOL | OPTION_BIT(OPTION_RANGE), .columns = &gaps_columns,
                .run = gaps_run},
        {"destroy", "end a pool, and the sessions that are in it", .word = WORD_POOL,
                .word_needed = true, .options = POOL | YES, .run = destroy_run,
                .text = "For administrators of the pool."},
        {"kick", "end a session", .word = WORD_SESSION, .word_needed = true, .options = YES,
                .run = kick_run,
                .text = "For administrators, and for the user whose session it is."},
        {"reload", "have the daemon read its configuration again", .run = reload_run,
                .text = "For administrators of the daemon. If the configuration has an error "
                        "nothing changes."},
        {"exec", "start a program with a session that it inherits", .runs_program = true,
                .options = POOL | OPTION_BIT(OPTION_PRIVATE) | OPTION_BIT(OPTION_READ_ONLY),
                .run = exec_run,
                .text = "The program finds it by $FILEMEM_FD, which filemem_open(NULL, ...) looks "
                        "at first.\nOptions come before the program; what comes after it is its "
                        "own.\nExit codes: those of the program; 126: it cannot be started; 127: "
                        "there is none."},
        {"completion", "what a shell needs to complete these words", .word = WORD_SHELL,
                .word_needed = true, .run_alone = completion_run,
                .text = "For what is not installed: source <(filememctl completion bash)"},
        {"schema", "the JSON schema of what a command prints", .word = WORD_COMMAND,
                .word_needed = true, .run_alone = schema_run},
        {"help", "this, or about one command", .word = WORD_COMMAND, .columns = &help_columns,
                .run_alone = help_run},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *command_at(size_t index)
{
        return index < COMMANDS ? &commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
        for (size_t i = 0; i < COMMANDS; i++)
                if (!strcmp(commands[i].name, name))
                        return &commands[i];
        return NULL;
}

uint64_t command_options(const struct command *command)
{
        uint64_t options = OPTIONS_COMMON | command->options;

        if (command->run)
                options |= OPTION_BIT(OPTION_SOCKET);
        if (command->columns)
                options |= OPTIONS_TABLE;
        if (command->columns && !command->columns->record)
                options |= OPTION_BIT(OPTION_SORT);
        return options;
}

const char *command_word(const struct command *command, char *text)
{
        strcpy(text, command->runs_program ? " PROGRAM..." : "");
        if (command->word != WORD_NONE)
                snprintf(text, COMMAND_WORD_MAX, command->word_needed ? " %s" : " [%s]",
                        word_infos[command->word].name);
        return text;
}
