// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

struct options {
        const char *socket;   /* NULL: the usual places */
        const char *at_stage; /* NULL: nothing */
        const char *sandbox;  /* command that runs a worker; NULL: they are forked */
        const char *worker;   /* this is a worker, and what it is told; NULL: it is not */
        unsigned workers;
        uint64_t bytes;
        char **paths; /* of argv */
        int path_count;
};

/* Returns -1 to go on, or the exit code. */
int options_parse(struct options *options, int argc, char **argv);
