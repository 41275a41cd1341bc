// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* The command line of filememd. The strings are those of argv. */
struct options {
        const char *socket; /* NULL: as said elsewhere */
        const char *config; /* NULL: the default file, if there is one */
        bool foreground;
        bool check_config;
        bool help;
        bool version;
};

#define OPTIONS_ERROR_MAX 256

/* Returns 0, or -EINVAL and in `error` one line that says why. Not thread safe (getopt). */
int options_parse(int argc, char **argv, struct options *ret, char error[OPTIONS_ERROR_MAX]);

/* What --help says. */
void options_print_help(FILE *stream);
