// SPDX-License-Identifier: Apache-2.0
#include "bench/options.h"

#include "memory/pool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_DEFAULT 5
#define N_MAX          (UINT64_C(1) << 24)
#define SIZE_MAX_BYTES (UINT64_C(1) << 40)

static const struct option long_options[] = {
        {"list", no_argument, NULL, 'l'},
        {"json", no_argument, NULL, 'j'},
        {"repeat", required_argument, NULL, 'r'},
        {"n", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 's'},
        {"quick", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
};

static const char help[] =
        "Usage: filemem-bench [OPTION]... [SCENARIO]...\n"
        "\n"
        "Measures the memory room of filemem, its service, and beside them the least that the\n"
        "machine needs for the same. Without a SCENARIO: all of them. Times are in nanoseconds, of "
        "one operation.\n"
        "\n"
        "  --list        print the scenarios, a line for each\n"
        "  --json        print an object per line: the machine, then the results\n"
        "  --repeat N    repeat N times, 1 to 32, and print the medians; 5 if not said\n"
        "  --n N         allocations, live allocations, pairs, connections, ...: what the\n"
        "                scenario counts; instead of its own sizes\n"
        "  --size BYTES  what update_usage, reclaim and rpc_scan commit; K, M and G may follow; a "
        "multiple\n"
        "                of 2M\n"
        "  --quick       small and once, with no warming up: to see that it runs\n"
        "  --help        print this and exit\n"
        "\n"
        "Exit code 1: a scenario could not run, or its operations were not those that it is to\n"
        "measure. 2: the command line was not understood.\n";

void bench_options_print_help(FILE *stream)
{
        fputs(help, stream);
}

void bench_options_print_list(FILE *stream)
{
        for (size_t i = 0; i < scenario_count; i++)
                fprintf(stream, "%-12s  %s\n", scenarios[i].name, scenarios[i].help);
}

static int fail(const char *format, const char *what)
{
        fputs("filemem-bench: ", stderr);
        fprintf(stderr, format, what);
        fputc('\n', stderr);
        return -EINVAL;
}

/* Digits, and at most one of the letters that stand for a power of two. */
static int parse_number(const char *text, bool with_unit, uint64_t maximum, uint64_t *ret)
{
        unsigned long long value;
        unsigned shift = 0;
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 10);
        if (with_unit && *end) {
                static const char units[] = "KMG";
                const char *unit = strchr(units, *end++);

                if (!unit)
                        return -EINVAL;
                shift = 10 * (1 + (unsigned)(unit - units));
        }
        if (errno || *end || !value || value > maximum >> shift)
                return -EINVAL;
        *ret = (uint64_t)value << shift;
        return 0;
}

static int parse_repeat(unsigned *ret)
{
        uint64_t value;

        if (parse_number(optarg, false, REPORT_REPEAT_MAX, &value) < 0)
                return fail("--repeat: '%s' is not a number from 1 to 32", optarg);
        *ret = (unsigned)value;
        return 0;
}

static int parse_n(uint64_t *ret)
{
        if (parse_number(optarg, false, N_MAX, ret) < 0)
                return fail("--n: '%s' is not a number from 1 to 16777216", optarg);
        return 0;
}

static int parse_size(uint64_t *ret)
{
        if (parse_number(optarg, true, SIZE_MAX_BYTES, ret) < 0 || *ret % HUGEPAGE_SIZE)
                return fail("--size: '%s' is not a multiple of 2M up to 1024G", optarg);
        return 0;
}

static int parse_option(int option, char **argv, struct bench_options *options)
{
        switch (option) {
        case 'l':
                options->list = true;
                return 0;
        case 'j':
                options->json = true;
                return 0;
        case 'r':
                return parse_repeat(&options->repeat);
        case 'n':
                return parse_n(&options->sizes.n);
        case 's':
                return parse_size(&options->sizes.size);
        case 'q':
                options->sizes.quick = true;
                return 0;
        case 'h':
                options->help = true;
                return 0;
        case ':':
                return fail("option '%s' needs an argument", argv[optind - 1]);
        default:
                return fail("do not understand '%s'; see --help", argv[optind - 1]);
        }
}

int bench_options_parse(int argc, char **argv, struct bench_options *ret)
{
        struct bench_options options = {0};
        int option;

        opterr = 0;
        while ((option = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
                int r = parse_option(option, argv, &options);

                if (r < 0)
                        return r;
        }
        if (!options.repeat)
                options.repeat = options.sizes.quick ? 1 : REPEAT_DEFAULT;
        options.names = argv + optind;
        options.name_count = argc - optind;
        *ret = options;
        return 0;
}
