// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The pool that is meant where none is said. */
#define DEFAULT_POOL "default"

/* What the user said. Strings are those of argv. */
struct options {
        const char *socket; /* NULL: the usual places */
        const char *command;
        const char *pool; /* NULL: the default one */
        uint64_t session;
        bool yes;
        bool json;
        bool bytes;
        bool no_header;
        bool known;
        bool help;
        bool version;
};

/* Exit codes, documented in help and man page. */
enum exit_code {
        EXIT_CODE_OK = 0,
        EXIT_CODE_REFUSED =
                1,           /* the daemon refused or failed, or the output could not be written */
        EXIT_CODE_USAGE = 2, /* the command line is wrong */
        EXIT_CODE_UNREACHABLE = 3, /* no daemon there, or it went away */
};

/* Returns EXIT_CODE_OK or, after one line on stderr, EXIT_CODE_USAGE. */
enum exit_code options_parse(struct options *options, int argc, char *const *argv);
