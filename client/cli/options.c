// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include "columns.h"
#include "command.h"
#include "complain.h"
#include "parse.h"
#include "suggest.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_BASE 256 /* what getopt_long() returns for the first option of the table */

/* ---- what getopt wants ----------------------------------------------------------------------- */

static int has_argument(const struct option_info *info)
{
        if (!info->argument)
                return no_argument;
        return info->optional ? optional_argument : required_argument;
}

/* "-": words come in their order; ":": a value that is missing is told from an unknown option. */
static void list_options(struct option *list, char *letters)
{
        letters += strlen(strcpy(letters, "-:"));
        for (int id = 0; id < OPTION_COUNT; id++) {
                const struct option_info *info = &option_infos[id];

                list[id] = (struct option){info->name, has_argument(info), NULL, LONG_BASE + id};
                if (info->letter)
                        *letters++ = info->letter;
                if (info->letter && info->argument)
                        *letters++ = ':';
        }
        list[OPTION_COUNT] = (struct option){NULL, 0, NULL, 0};
        *letters = 0;
}

static int find_letter(int letter)
{
        for (int id = 0; id < OPTION_COUNT; id++)
                if (letter >= LONG_BASE ? letter - LONG_BASE == id
                                        : option_infos[id].letter == (char)letter)
                        return id;
        return -1;
}

/* ---- what was said --------------------------------------------------------------------------- */

static enum exit_code take_option(struct options *options, enum option_id id, const char *value)
{
        const struct option_info *info = &option_infos[id];
        const char *sentence;

        options->given |= OPTION_BIT(id);
        options->value[id] = value;
        if (!value)
                return EXIT_CODE_OK;
        if (info->of && !option_is_one_of(value, info->of))
                return complain_of_choice(info->name, value, info->of);
        sentence = info->check ? info->check(value) : NULL;
        return sentence ? complain("--%s: %s", info->name, sentence) : EXIT_CODE_OK;
}

static enum exit_code take_unknown(const struct options *options, const char *word)
{
        char name[64];
        const char *similar = NULL;

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
        if (!strncmp(name, "--", 2))
                similar = suggest_option(name + 2);
        if (similar)
                return complain("there is no option %s: did you mean --%s?", name, similar);
        if (options->command)
                return complain(
                        "there is no option %s: 'filememctl help %s' lists those that it has", name,
                        options->command->name);
        return complain("there is no option %s: 'filememctl help' lists them", name);
}

/* word: of argv, where getopt found it. */
static enum exit_code take_mistake(
        const struct options *options, const char *word, int letter, bool missing)
{
        char short_name[3] = {'-', (char)letter, 0};
        int id = letter ? find_letter(letter) : -1;

        if (id >= 0 && missing && option_infos[id].of)
                return complain_of_choice(option_infos[id].name, NULL, option_infos[id].of);
        if (id >= 0 && missing)
                return complain("--%s needs a value: write --%s %s", option_infos[id].name,
                        option_infos[id].name, option_infos[id].argument);
        if (id >= 0)
                return complain("--%s takes no value: leave out what comes after the \"=\"",
                        option_infos[id].name);
        return take_unknown(options, letter ? short_name : word);
}

static enum exit_code complain_of_command(const char *word)
{
        const char *similar = suggest_command(word);

        if (similar)
                return complain("there is no command '%s': did you mean '%s'?", word, similar);
        return complain("there is no command '%s': 'filememctl help' lists them", word);
}

static enum exit_code take_word(struct options *options, const char *word)
{
        const struct command *command = options->command;

        if (command && (options->word || command->word == WORD_NONE))
                return complain("%s is one word too many: 'filememctl help %s' shows how it is "
                                "written",
                        word, command->name);
        if (command) {
                options->word = word;
                return EXIT_CODE_OK;
        }
        options->command = command_find(word);
        if (options->command)
                return EXIT_CODE_OK;
        return complain_of_command(word);
}

/* Options and words in any order; of a command that runs a program, what begins with that is its.
 */
static enum exit_code take_all(struct options *options, int argc, char **argv)
{
        struct option list[OPTION_COUNT + 1];
        char letters[2 * OPTION_COUNT + 3];
        enum exit_code code = EXIT_CODE_OK;
        int letter;

        list_options(list, letters);
        opterr = 0; /* its line would begin with whatever we were called by */
        while (code == EXIT_CODE_OK &&
                (letter = getopt_long(argc, argv, letters, list, NULL)) != -1) {
                if (letter == 1 && options->command && options->command->runs_program) {
                        optind--;
                        break;
                }
                if (letter == 1)
                        code = take_word(options, optarg);
                else if (letter == '?' || letter == ':')
                        code = take_mistake(options, argv[optind - 1], optopt, letter == ':');
                else
                        code = take_option(options, (enum option_id)find_letter(letter), optarg);
        }
        if (options->command && options->command->runs_program)
                options->program = argv + optind;
        else
                for (; code == EXIT_CODE_OK && optind < argc; optind++)
                        code = take_word(options, argv[optind]);
        return code;
}

/* ---- whether it fits together ---------------------------------------------------------------- */

/* The word after a command that is about another one. */
static enum exit_code check_command(const struct options *options)
{
        const struct command *about = command_find(options->word);

        if (!about)
                return complain_of_command(options->word);
        if (options->command->columns || about->columns)
                return EXIT_CODE_OK;
        return complain("%s prints no JSON: 'filememctl help --columns command,columns' shows "
                        "which do",
                about->name);
}

/* A time with a space before it is a word, which would be taken for a pool. */
static enum exit_code check_time_word(const struct options *options)
{
        static const enum option_id ids[] = {OPTION_WATCH, OPTION_DELTA};

        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
                if (option_is_given(options, ids[i]) && !options->value[ids[i]] &&
                        !parse_time(options->word, NULL))
                        return complain("is %s the time? write --%s=%s; or --pool %s if it is a "
                                        "pool",
                                options->word, option_infos[ids[i]].name, options->word,
                                options->word);
        return EXIT_CODE_OK;
}

static enum exit_code check_pool_word(struct options *options)
{
        if (options->pool && strcmp(options->pool, options->word) != 0)
                return complain("%s or %s? say one pool", options->word, options->pool);
        options->pool = options->word;
        return check_time_word(options);
}

static enum exit_code check_session_word(struct options *options, const struct word_info *info)
{
        char *end;

        errno = 0;
        options->session = strtoull(options->word, &end, 10);
        if (options->word[0] < '0' || options->word[0] > '9' || *end || errno)
                return complain("'%s' is no session: %s", options->word, info->say);
        return EXIT_CODE_OK;
}

static enum exit_code check_range_word(const struct options *options)
{
        const char *sentence = parse_range(options->word, NULL);

        return sentence ? complain("'%s' is no range: %s", options->word, sentence) : EXIT_CODE_OK;
}

static enum exit_code check_word(struct options *options)
{
        const struct command *command = options->command;
        const struct word_info *info = &word_infos[command->word];

        if (command->word_needed && !options->word &&
                !(command->word == WORD_POOL && options->pool))
                return complain("%s: %s", command->name, info->say);
        if (!options->word)
                return EXIT_CODE_OK;
        if (!options->word[0])
                return complain(
                        "%s: %s is empty: leave it out, or say which", command->name, info->name);
        if (info->of && !option_is_one_of(options->word, info->of))
                return complain("%s: %s", command->name, info->say);
        switch (command->word) {
        case WORD_POOL:
                return check_pool_word(options);
        case WORD_COMMAND:
                return check_command(options);
        case WORD_RANGE:
                return check_range_word(options);
        case WORD_SESSION:
                return check_session_word(options, info);
        default:
                return EXIT_CODE_OK;
        }
}

static enum exit_code check_options(const struct options *options)
{
        uint64_t wrong = options->given & ~command_options(options->command);

        for (int id = 0; id < OPTION_COUNT; id++)
                if (wrong & OPTION_BIT(id))
                        return complain("--%s is not for %s: 'filememctl help %s' lists what is",
                                option_infos[id].name, options->command->name,
                                options->command->name);
        if (options->json && options->raw)
                return complain("--json or --raw? say one of them");
        if (option_is_given(options, OPTION_PRIVATE) && options->pool)
                return complain("--private or --pool? say one of them");
        if (options->command->runs_program && !options->program[0])
                return complain(
                        "%s: say which program, and what it is to do", options->command->name);
        return columns_check(options);
}

static bool wants_color(const struct options *options)
{
        const char *when = options->value[OPTION_COLOR], *no = getenv("NO_COLOR");
        const char *terminal = getenv("TERM");

        if (!options_for_people(options))
                return false;
        if (option_is_given(options, OPTION_COLOR) && (!when || !strcmp(when, "always")))
                return true;
        if (when && !strcmp(when, "never"))
                return false;
        return isatty(STDOUT_FILENO) && (!no || !no[0]) && terminal &&
               strcmp(terminal, "dumb") != 0;
}

enum exit_code options_parse(struct options *options, int argc, char **argv)
{
        enum exit_code code;

        *options = (struct options){0};
        code = take_all(options, argc, argv);
        if (code != EXIT_CODE_OK)
                return code;
        if (option_is_given(options, OPTION_HELP) || option_is_given(options, OPTION_VERSION))
                return EXIT_CODE_OK;
        if (!options->command)
                return complain("say what to do: 'filememctl help' lists the commands");
        options->pool = options->value[OPTION_POOL];
        options->json = option_is_given(options, OPTION_JSON);
        options->raw = option_is_given(options, OPTION_RAW);
        options->bytes = option_is_given(options, OPTION_BYTES);
        options->no_header = option_is_given(options, OPTION_NO_HEADER);
        options->color = wants_color(options);
        code = check_options(options);
        return code == EXIT_CODE_OK ? check_word(options) : code;
}
