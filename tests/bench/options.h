// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/scenario.h"

#include <stdio.h>

/* The command line of filemem-bench. */
struct bench_options {
        struct scenario_sizes sizes;
        unsigned repeat;
        bool json;
        bool list;
        bool help;
        char **names; /* of argv: the scenarios; none: all of them */
        int name_count;
};

/*
 * Returns 0, or -EINVAL after one line on stderr. The names are not looked up. Not thread safe
 * (getopt).
 */
int bench_options_parse(int argc, char **argv, struct bench_options *ret);

/* What --help says, and --list. */
void bench_options_print_help(FILE *stream);
void bench_options_print_list(FILE *stream);
