// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const struct option long_options[] = {
        {"socket", required_argument, NULL, 's'},
        {"config", required_argument, NULL, 'c'},
        {"foreground", no_argument, NULL, 'f'},
        {"check-config", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
};

static const char help[] =
        "Usage: filememd [OPTION]...\n"
        "\n"
        "The memory server of this host: owns memory as memfd files and shares ranges of it\n"
        "among processes that connect to its socket.\n"
        "\n"
        "  --socket PATH   listen there; else $FILEMEM_SOCKET, else the configuration, else\n"
        "                  /run/filemem/filemem.sock for root and\n"
        "                  $XDG_RUNTIME_DIR/filemem/filemem.sock for others\n"
        "  --config FILE   read FILE, not /etc/filemem/filememd.conf; after it FILE.d/*.conf\n"
        "  --check-config  read the configuration, say what is wrong with it, and exit\n"
        "  --foreground    run as a plain program even if systemd started it: it never forks,\n"
        "                  and unless systemd started it this is how it runs anyway\n"
        "  --help          print this and exit\n"
        "  --version       print the version and exit\n"
        "\n"
        "Ends on SIGTERM and SIGINT, after answering what is under way, with exit code 0.\n"
        "Reads the configuration again on SIGHUP.\n"
        "Exit code 1: it could not start, and one line on stderr says why.\n";

static int fail(char error[OPTIONS_ERROR_MAX], const char *format, const char *what)
{
        snprintf(error, OPTIONS_ERROR_MAX, format, what);
        return -EINVAL;
}

/* getopt tells only the letter of what it did not like; argv tells what was written. */
static int refuse(int result, char **argv, char error[OPTIONS_ERROR_MAX])
{
        if (result == ':')
                return fail(error, "option '%s' needs an argument", argv[optind - 1]);
        if (optopt && optopt < 256 && !strncmp(argv[optind - 1], "--", 2))
                return fail(error, "option '%s' takes no argument", argv[optind - 1]);
        if (optopt) {
                char letter[] = {'-', (char)optopt, 0};

                return fail(error, "unknown option '%s'", letter);
        }
        return fail(error, "unknown option '%s'", argv[optind - 1]);
}

int options_parse(int argc, char **argv, struct options *ret, char error[OPTIONS_ERROR_MAX])
{
        struct options options = {0};
        int c;

        optind = 0; /* so that getopt forgets what it parsed before */
        opterr = 0;
        while ((c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
                switch (c) {
                case 's':
                        options.socket = optarg;
                        break;
                case 'c':
                        options.config = optarg;
                        break;
                case 'f':
                        options.foreground = true;
                        break;
                case 'k':
                        options.check_config = true;
                        break;
                case 'h':
                        options.help = true;
                        break;
                case 'v':
                        options.version = true;
                        break;
                default:
                        return refuse(c, argv, error);
                }
        }
        if (optind < argc)
                return fail(error, "unexpected argument '%s'", argv[optind]);
        if (options.socket && !options.socket[0])
                return fail(error, "option '%s' needs an argument", "--socket");
        *ret = options;
        return 0;
}

void options_print_help(FILE *stream)
{
        fputs(help, stream);
}
