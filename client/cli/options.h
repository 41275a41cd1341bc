// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The pool that is meant where none is said. */
#define DEFAULT_POOL "default"

/* Every option there is; option_table.c says what each one is, command.c which command has it. */
enum option_id {
        OPTION_SOCKET,
        OPTION_POOL,
        OPTION_JSON,
        OPTION_RAW,
        OPTION_BYTES,
        OPTION_NO_HEADER,
        OPTION_COLUMNS,
        OPTION_SORT,
        OPTION_COLOR,
        OPTION_KNOWN,
        OPTION_RANGE,
        OPTION_ROWS,
        OPTION_SVG,
        OPTION_BY,
        OPTION_WATCH,
        OPTION_DELTA,
        OPTION_SINCE,
        OPTION_OVER,
        OPTION_IDLE,
        OPTION_FROM,
        OPTION_LIMIT,
        OPTION_SESSION,
        OPTION_SAMPLE,
        OPTION_BATCH,
        OPTION_DELAY,
        OPTION_ORDER,
        OPTION_YES,
        OPTION_PRIVATE,
        OPTION_READ_ONLY,
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_COUNT,
};

#define OPTION_BIT(id) (UINT64_C(1) << (id))

/* What may come after a command. */
enum word {
        WORD_NONE,
        WORD_POOL,
        WORD_SESSION, /* its number */
        WORD_RANGE,
        WORD_COMMAND,
        WORD_SHELL,
        WORD_COUNT,
};

struct option_info {
        const char *name;
        char letter;           /* or 0 */
        bool optional;         /* the value may be left out; given, it comes after a "=" */
        const char *argument;  /* what the value is, in capitals; NULL: there is none */
        const char *const *of; /* what the value is one of, NULL ends them; or NULL */
        const char *help;      /* one line */

        /* Returns NULL if the value can be, else a sentence about what it has to be. May be NULL.
         */
        const char *(*check)(const char *value);
};

extern const struct option_info option_infos[OPTION_COUNT];

struct word_info {
        const char *name;      /* in capitals */
        const char *const *of; /* as above */
        const char *say;       /* what to say where it is missing */
};

extern const struct word_info word_infos[WORD_COUNT];

struct command;

/* What the user said. Strings are those of argv. */
struct options {
        const struct command *command; /* NULL: help or version are all that was asked for */
        const char *word;              /* what comes after the command; NULL: nothing */
        const char *pool;              /* by word or by option; NULL: the default one */
        uint64_t session;              /* the word, of a command that is about a session */
        char **program;                /* of a command that runs one: its words, NULL ends them */

        uint64_t given;                  /* OPTION_BIT() of each that was said */
        const char *value[OPTION_COUNT]; /* NULL: not said, or without a value */

        bool json;
        bool raw;
        bool bytes;
        bool no_header;
        bool color; /* standard output gets some */
};

static inline bool option_is_given(const struct options *options, enum option_id id)
{
        return options->given & OPTION_BIT(id);
}

/* Where people read, and no program does. */
static inline bool options_for_people(const struct options *options)
{
        return !options->json && !options->raw;
}

/* Exit codes, documented in help and man page. */
enum exit_code {
        EXIT_CODE_OK = 0,
        EXIT_CODE_REFUSED =
                1,           /* the daemon refused or failed, or the output could not be written */
        EXIT_CODE_USAGE = 2, /* the command line is wrong */
        EXIT_CODE_UNREACHABLE = 3, /* no daemon there, or it went away */
};

/* Returns EXIT_CODE_OK or, after one line on stderr, EXIT_CODE_USAGE. */
enum exit_code options_parse(struct options *options, int argc, char **argv);

/* Whether a value is one of a list that NULL ends. */
bool option_is_one_of(const char *value, const char *const *of);
