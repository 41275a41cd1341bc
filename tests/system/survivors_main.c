// SPDX-License-Identifier: Apache-2.0
/*
 * Clients that a daemon is killed under, for tests that are scripts.
 *
 *   survivors SOCKET ROUNDS CLIENTS COMMAND      the command has the daemon die
 */
#include "system/survivors.h"

#include <stdio.h>
#include <stdlib.h>

static void run_command(void *context)
{
        /* NOLINTNEXTLINE(cert-env33-c): the command is the test's own */
        if (system(context) != 0) {
                fprintf(stderr, "survivors: the command failed\n");
                exit(EXIT_FAILURE);
        }
}

int main(int argc, char **argv)
{
        struct survivors_report report = {0};
        struct survivors_options options = {.seed = 1, .kill = run_command};
        const char *error;

        if (argc != 5) {
                fprintf(stderr, "usage: survivors SOCKET ROUNDS CLIENTS COMMAND\n");
                return 2;
        }
        options.socket = argv[1];
        options.rounds = (unsigned)strtoul(argv[2], NULL, 10);
        options.clients = (unsigned)strtoul(argv[3], NULL, 10);
        options.context = argv[4];
        error = survivors_run(&options, &report);
        survivors_print(&report);
        survivors_free(&report);
        if (error)
                fprintf(stderr, "survivors: %s\n", error);
        return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
