// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

#include <filemem/filemem.h>
#include <stdio.h>

enum command_word {
        WORD_NONE,
        WORD_POOL_IF_ANY,
        WORD_POOL,
        WORD_SESSION, /* its number */
};

/* A command: the one table of them in command.c drives the parser and the help. */
struct command {
        const char *name;
        const char *help; /* one line */
        bool takes_known;
        enum command_word word; /* what comes after it */
        /* Returns 0 or a negative errno of the library, with its sentence. NULL: needs no daemon.
         */
        int (*run)(filemem_session *session, const struct options *options);
};

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

void command_print_help(FILE *where);

/* One command, one file. */
int ping_run(filemem_session *session, const struct options *options);
int status_run(filemem_session *session, const struct options *options);
int usage_run(filemem_session *session, const struct options *options);
int limits_run(filemem_session *session, const struct options *options);
int sessions_run(filemem_session *session, const struct options *options);
int dump_run(filemem_session *session, const struct options *options);
int pools_run(filemem_session *session, const struct options *options);
int destroy_run(filemem_session *session, const struct options *options);
int kick_run(filemem_session *session, const struct options *options);
int reload_run(filemem_session *session, const struct options *options);
