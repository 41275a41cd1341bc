// SPDX-License-Identifier: Apache-2.0
#include "cksum/options.h"

#include "cksum/files.h"
#include "cksum/plumbing.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option long_options[] = {
        {"socket", required_argument, NULL, 's'},
        {"workers", required_argument, NULL, 'w'},
        {"bytes", required_argument, NULL, 'b'},
        {"at-stage", required_argument, NULL, 'a'},
        {"sandbox", required_argument, NULL, 'x'},
        {"worker", required_argument, NULL, 'W'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static void print_help(void)
{
        printf("Usage: filemem-cksum [OPTION...] [FILE...]\n"
               "Computes what cksum computes, with the bytes in memory of filememd: a loader reads "
               "the\n"
               "files, workers compute, one of them is killed on the way, and cksum itself is "
               "asked.\n"
               "Without files it takes the largest ones below /usr/lib. It takes %d files at "
               "most.\n"
               "\n"
               "      --socket PATH       where the daemon listens\n"
               "      --workers N         2 to %d, by default 3\n"
               "      --bytes SIZE        without files: so much together, such as 300M, the "
               "default\n"
               "      --at-stage COMMAND  run COMMAND by /bin/sh before, during and after, with "
               "the\n"
               "                          stage in $FILEMEM_STAGE\n"
               "      --sandbox COMMAND   run each worker by COMMAND, such as bwrap with its "
               "options "
               "and\n"
               "                          this program: its session is inherited, as $FILEMEM_FD\n"
               "      --worker TEXT       what COMMAND is given for a worker\n"
               "      --help              this\n"
               "\n"
               "Exit codes: 0 all checksums are equal, 1 anything else, 2 a wrong command line\n",
                FILES_MAX, WORKERS_MAX);
}

/* "300M". Returns 0 or -1. */
static int parse_size(const char *text, uint64_t *ret)
{
        static const char units[] = "KMGT";
        char *end;
        unsigned long long number = strtoull(text, &end, 10);
        const char *unit = *end ? strchr(units, *end) : NULL;
        unsigned shift = unit ? (unsigned)(unit - units + 1) * 10 : 0;

        if (end == text || text[0] == '-' || (*end && (!unit || end[1])) ||
                number > UINT64_MAX >> shift)
                return -1;
        *ret = (uint64_t)number << shift;
        return 0;
}

static int complain(const char *what, const char *value)
{
        fprintf(stderr, "filemem-cksum: %s: %s (try --help)\n", what, value);
        return 2;
}

static int take(struct options *options, int option)
{
        uint64_t number;

        switch (option) {
        case 's':
                options->socket = optarg;
                return -1;
        case 'a':
                options->at_stage = optarg;
                return -1;
        case 'x':
                options->sandbox = optarg;
                return -1;
        case 'W':
                options->worker = optarg;
                return -1;
        case 'w':
                if (parse_size(optarg, &number) < 0 || number < 2 || number > WORKERS_MAX)
                        return complain("not a number of workers", optarg);
                options->workers = (unsigned)number;
                return -1;
        case 'b':
                if (parse_size(optarg, &options->bytes) < 0)
                        return complain("not a size", optarg);
                return -1;
        case 'h':
                print_help();
                return 0;
        default:
                return 2; /* getopt has said why */
        }
}

int options_parse(struct options *options, int argc, char **argv)
{
        int option;

        *options = (struct options){.workers = 3, .bytes = UINT64_C(300) << 20};
        while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
                int r = take(options, option);

                if (r >= 0)
                        return r;
        }
        options->paths = argv + optind;
        options->path_count = argc - optind;
        return -1;
}
