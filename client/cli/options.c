// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_KNOWN = 256, OPTION_NO_HEADER };

static const struct option long_options[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"bytes", no_argument, NULL, 'b'},
        {"yes", no_argument, NULL, 'y'},
        {"no-header", no_argument, NULL, OPTION_NO_HEADER},
        {"known", no_argument, NULL, OPTION_KNOWN},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

static enum exit_code complain(const char *what, const char *word)
{
        fprintf(stderr, "filememctl: %s%s (try filememctl --help)\n", what, word);
        return EXIT_CODE_USAGE;
}

static bool take(struct options *options, int option)
{
        switch (option) {
        case 's':
                options->socket = optarg;
                return true;
        case 'j':
                options->json = true;
                return true;
        case 'b':
                options->bytes = true;
                return true;
        case 'y':
                options->yes = true;
                return true;
        case OPTION_NO_HEADER:
                options->no_header = true;
                return true;
        case OPTION_KNOWN:
                options->known = true;
                return true;
        case 'h':
                options->help = true;
                return true;
        case 'V':
                options->version = true;
                return true;
        default:
                return false;
        }
}

static bool take_session(struct options *options, const char *word)
{
        char *end;

        errno = 0;
        options->session = strtoull(word, &end, 10);
        return word[0] >= '0' && word[0] <= '9' && !*end && !errno;
}

/* What comes after the command, NULL if nothing does. Returns whether that is as it should be. */
static bool take_word(struct options *options, const struct command *command, const char *word)
{
        switch (command->word) {
        case WORD_POOL_IF_ANY:
                options->pool = word;
                return true;
        case WORD_POOL:
                options->pool = word;
                return word != NULL;
        case WORD_SESSION:
                return word && take_session(options, word);
        case WORD_NONE:
        default:
                return true;
        }
}

enum exit_code options_parse(struct options *options, int argc, char *const *argv)
{
        const struct command *command;
        int option;

        *options = (struct options){0};
        opterr = 0; /* its line would begin with whatever we were called by */
        while ((option = getopt_long(argc, argv, "s:jbyhV", long_options, NULL)) != -1)
                if (!take(options, option))
                        return complain("unknown option, or its value is missing or too much: ",
                                argv[optind - 1]);
        if (options->help || options->version)
                return EXIT_CODE_OK;
        if (optind == argc)
                return complain("say what to do", "");
        options->command = argv[optind];
        command = command_find(options->command);
        if (!command)
                return complain("unknown command: ", options->command);
        if (!take_word(options, command, argc - optind - 1 > 0 ? argv[optind + 1] : NULL))
                return complain("say which, after ", options->command);
        if (optind + (command->word == WORD_NONE ? 1 : 2) < argc)
                return complain("one word too many: ", argv[argc - 1]);
        if (options->known && !command->takes_known)
                return complain("--known is for usage, not for ", options->command);
        return EXIT_CODE_OK;
}
