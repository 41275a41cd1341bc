// SPDX-License-Identifier: Apache-2.0
/* filemem-bench: how fast the memory room is, beside what the machine needs at least. */
#include "base/error.h"
#include "bench/machine.h"
#include "bench/options.h"
#include "bench/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct scenario *find_scenario(const char *name)
{
        for (size_t i = 0; i < scenario_count; i++)
                if (!strcmp(scenarios[i].name, name))
                        return &scenarios[i];
        return NULL;
}

static int explain(const struct scenario *scenario, int error)
{
        const char *why = error == -EBADMSG ? "it did not do what it is to measure"
                          : error < 0       ? strerror(-error)
                                            : error_text(error);

        fprintf(stderr, "filemem-bench: %s could not run: %s\n", scenario->name, why);
        return error;
}

/* Once to warm up, then what is reported. */
static int run(const struct scenario *scenario, const struct bench_options *options)
{
        static struct report report; /* large */
        int r = 0;

        report.json = options->json;
        report_begin(&report, scenario->name);
        report.muted = true;
        if (!options->sizes.quick)
                r = scenario->run(&options->sizes, &report);
        report.muted = false;
        for (unsigned i = 0; r == 0 && i < options->repeat; i++)
                r = scenario->run(&options->sizes, &report);
        if (r)
                return explain(scenario, r);
        report_print(&report, stdout);
        return 0;
}

static int check_names(const struct bench_options *options)
{
        for (int i = 0; i < options->name_count; i++) {
                if (find_scenario(options->names[i]))
                        continue;
                fprintf(stderr, "filemem-bench: there is no scenario '%s'; see --list\n",
                        options->names[i]);
                return -EINVAL;
        }
        return 0;
}

/* A scenario that cannot run does not keep the others from it. */
static int run_all(const struct bench_options *options)
{
        bool failed = false;

        machine_print(stdout, options->json);
        fflush(stdout);
        for (int i = 0; i < options->name_count; i++)
                failed |= run(find_scenario(options->names[i]), options) != 0;
        for (size_t i = 0; !options->name_count && i < scenario_count; i++)
                failed |= run(&scenarios[i], options) != 0;
        return failed || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        struct bench_options options;

        if (bench_options_parse(argc, argv, &options) < 0 || check_names(&options) < 0)
                return 2;
        if (options.help)
                bench_options_print_help(stdout);
        else if (options.list)
                bench_options_print_list(stdout);
        else
                return run_all(&options);
        return EXIT_SUCCESS;
}
