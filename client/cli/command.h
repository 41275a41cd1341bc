// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "columns.h"
#include "options.h"

#include <filemem/filemem.h>
#include <stdio.h>

/*
 * A command. The one table of them in command.c drives the parser, the help, the completions of
 * shells and the schemas of JSON; tests hold the man page against it.
 */
struct command {
        const char *name;
        const char *help;              /* one line */
        const char *text;              /* more sentences, for `help COMMAND`; or NULL */
        enum word word;                /* what comes after it, */
        bool word_needed;              /* and whether it has to */
        bool runs_program;             /* which has a session in a pool, and takes our place */
        uint64_t options;              /* OPTION_BIT() of those that not every command has */
        const struct columns *columns; /* of what it prints; NULL: no table */

        /* Returns 0 or a negative errno of the library, with its sentence; or, positive, an exit
         * code about which it has said why. NULL: needs no daemon, */
        int (*run)(filemem_session *session, const struct options *options);
        /* but this, which returns 0, or -ENOMEM. */
        int (*run_alone)(const struct options *options);
};

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

/* One after the other; NULL after the last. */
const struct command *command_at(size_t index);

/* OPTION_BIT() of all that a command has. */
uint64_t command_options(const struct command *command);

/* " [POOL]", "" or what else comes after it. text: of COMMAND_WORD_MAX bytes, which it returns. */
#define COMMAND_WORD_MAX 32
const char *command_word(const struct command *command, char *text);

/* ---- one command, one file ------------------------------------------------------------------- */

int help_run(const struct options *options);
int completion_run(const struct options *options);
int schema_run(const struct options *options);

int ping_run(filemem_session *session, const struct options *options);
int status_run(filemem_session *session, const struct options *options);
int usage_run(filemem_session *session, const struct options *options);
int limits_run(filemem_session *session, const struct options *options);
int sessions_run(filemem_session *session, const struct options *options);
int session_run(filemem_session *session, const struct options *options);
int holders_run(filemem_session *session, const struct options *options);
int leaks_run(filemem_session *session, const struct options *options);
int trace_run(filemem_session *session, const struct options *options);
int trim_run(filemem_session *session, const struct options *options);
int dump_run(filemem_session *session, const struct options *options);
int map_run(filemem_session *session, const struct options *options);
int top_run(filemem_session *session, const struct options *options);
int gaps_run(filemem_session *session, const struct options *options);
int pools_run(filemem_session *session, const struct options *options);
int destroy_run(filemem_session *session, const struct options *options);
int kick_run(filemem_session *session, const struct options *options);
int reload_run(filemem_session *session, const struct options *options);
int exec_run(filemem_session *session, const struct options *options);

extern const struct columns help_columns, ping_columns, status_columns, usage_columns,
        limits_columns, sessions_columns, session_columns, holders_columns, leaks_columns,
        trace_columns, trim_columns, dump_columns, map_columns, gaps_columns, pools_columns;
