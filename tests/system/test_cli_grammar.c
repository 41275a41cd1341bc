// SPDX-License-Identifier: Apache-2.0
/* The one table of filememctl's commands, and all that says the same: help, man page, completions,
 * schemas; and what comes of a wrong command line. */
#include "ctl.h"
#include "support/harness.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------- */

static json_t *the_table; /* of `help --json` */
static char *the_manual;

static void load(void)
{
        json_error_t error;
        json_t *root = json_loads(ctl_get("help --json"), 0, &error);

        ck_assert_msg(root != NULL, "%s", error.text);
        the_table = json_incref(json_object_get(root, "help"));
        json_decref(root);
        ck_assert_uint_gt(json_array_size(the_table), 10);
        the_manual = ctl_read_file(FILEMEM_MANUAL);
}

static void unload(void)
{
        json_decref(the_table);
        free(the_manual);
}

static const char *get(const json_t *row, const char *key)
{
        const json_t *value = json_object_get(row, key);

        ck_assert_msg(value != NULL, "no %s", key);
        return json_is_null(value) ? "" : json_string_value(value);
}

/* Calls `each` for every word of a list with spaces between. */
static void for_words(const char *list, void (*each)(const char *word, const void *argument),
        const void *argument)
{
        char words[4096], *rest = words, *word;

        ck_assert_uint_lt(strlen(list), sizeof(words));
        strcpy(words, list);
        while ((word = strsep(&rest, " ")))
                if (*word)
                        each(word, argument);
}

/* ---- the manual ------------------------------------------------------------------------------ */

/* What is between this heading and the next; copied, without the font changes and escapes. */
static char *section(const char *name)
{
        char heading[64], *text, *to;
        const char *from, *end;

        snprintf(heading, sizeof(heading), "\n.SH %s\n", name);
        from = strstr(the_manual, heading);
        ck_assert_msg(from != NULL, "no section %s", name);
        from += strlen(heading);
        end = strstr(from, "\n.SH ");
        text = to = calloc(1, strlen(from) + 1);
        for (; *from && from != end; from++) {
                if (from[0] == '\\' && from[1] == 'f')
                        from += 2;
                else if (*from != '\\')
                        *to++ = *from;
        }
        return text;
}

/* The paragraph of a tagged list that is about this word: from its tag to the next one. */
static char *paragraph(const char *section, const char *word)
{
        const char *at = section;

        while ((at = strstr(at, ".TP\n"))) {
                const char *tag, *end;

                at += 4;
                tag = strchr(at, ' ') + 1;
                end = strstr(at, "\n.TP\n");
                if (!strncmp(tag, word, strlen(word)) && !isalnum((unsigned char)tag[strlen(word)]))
                        return end ? strndup(at, (size_t)(end - at)) : strdup(at);
        }
        ck_abort_msg("the manual says nothing of %s", word);
        return NULL;
}

static bool has_word(const char *text, const char *word)
{
        size_t length = strlen(word);

        for (const char *at = text; (at = strstr(at, word)); at += length)
                if ((at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')) &&
                        !isalnum((unsigned char)at[length]) && at[length] != '_')
                        return true;
        return false;
}

static void assert_column(const char *word, const void *argument)
{
        ck_assert_msg(has_word(argument, word), "the manual says nothing of the column %s", word);
}

START_TEST(the_manual_has_every_command_and_column)
{
        char *commands = section("COMMANDS"), *keys = section("JSON");
        size_t i;
        json_t *row;

        json_array_foreach(the_table, i, row)
        {
                const char *word = get(row, "word");
                char *about = paragraph(commands, get(row, "command"));

                if (*word && *word != '[')
                        ck_assert_msg(has_word(about, word), "%s: no %s", about, word);
                free(about);
                if (*get(row, "columns")) {
                        about = paragraph(keys, get(row, "command"));
                        for_words(get(row, "columns"), assert_column, about);
                        free(about);
                }
        }
        free(commands);
        free(keys);
}
END_TEST

static void assert_option(const char *word, const void *argument)
{
        char option[64];

        snprintf(option, sizeof(option), "--%s", word);
        ck_assert_msg(strstr(argument, option) != NULL, "the manual does not know %s", option);
}

START_TEST(the_manual_has_every_option)
{
        char *options = section("OPTIONS");
        size_t i;
        json_t *row;

        json_array_foreach(the_table, i, row)
        {
                for_words(get(row, "options"), assert_option, options);
        }
        free(options);
}
END_TEST

/* And none that there is not. */
START_TEST(the_manual_has_no_other_option)
{
        char *options = section("OPTIONS"), *at = options;

        while ((at = strstr(at, "--"))) {
                char name[32], line[64];
                size_t length = strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");

                snprintf(name, sizeof(name), "%.*s", (int)length, at + 2);
                snprintf(line, sizeof(line), "fly --%s", name);
                if (length)
                        ck_assert_msg(!strstr(ctl_run(line) == 2 ? ctl_errors : "", "no option"),
                                "%s", ctl_errors);
                at += 2 + length;
        }
        free(options);
}
END_TEST

/* ---- completions ----------------------------------------------------------------------------- */

static void assert_completed(const char *word, const void *argument)
{
        ck_assert_msg(has_word(argument, word), "not completed: %s", word);
}

static void assert_completes(const char *shell)
{
        char line[64], *script;
        size_t i;
        json_t *row;

        snprintf(line, sizeof(line), "completion %s", shell);
        script = strdup(ctl_get(line));
        json_array_foreach(the_table, i, row)
        {
                assert_completed(get(row, "command"), script);
                for_words(get(row, "options"), assert_completed, script);
                for_words(get(row, "columns"), assert_completed, script);
        }
        free(script);
}

START_TEST(completions_have_every_word)
{
        assert_completes("bash");
        assert_completes("zsh");
        assert_completes("fish");
}
END_TEST

/* What bash would offer for the last of these words. */
static const char *complete(const char *words)
{
        char line[1024];

        snprintf(line, sizeof(line),
                "completion bash >/dev/null; exec bash -c 'eval \"$(%s completion bash)\"; "
                "COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _filememctl; "
                "echo \"${COMPREPLY[*]}\"'",
                FILEMEM_CTL, words);
        return ctl_get(line);
}

START_TEST(bash_completes)
{
        ck_assert_str_eq(complete("filememctl stat"), "status\n");
        ck_assert_str_eq(complete("filememctl usage --no-h"), "--no-header\n");
        ck_assert_str_eq(complete("filememctl ping --no-h"), "--no-header\n");
        ck_assert_str_eq(complete("filememctl ping --so"), "--socket\n");
        ck_assert_str_eq(complete("filememctl dump --so"), "--socket --sort\n");
        ck_assert_str_eq(complete("filememctl --socket x dump --sort le"), "length\n");
        ck_assert_str_eq(complete("filememctl dump --color = a"), "auto always\n");
        ck_assert_str_eq(complete("filememctl help du"), "dump\n");
        ck_assert_str_eq(complete("filememctl completion z"), "zsh\n");
}
END_TEST

/* ---- schemas --------------------------------------------------------------------------------- */

/* What is out is a promise: a change of a table has to change the file too, and be looked at. */
START_TEST(schemas_are_those_of_the_docs)
{
        size_t i;
        json_t *row;

        json_array_foreach(the_table, i, row)
        {
                char line[64], path[256], *documented;
                const char *command = get(row, "command");

                if (!*get(row, "columns"))
                        continue;
                snprintf(path, sizeof(path), "%s/%s.schema.json", FILEMEM_SCHEMAS, command);
                snprintf(line, sizeof(line), "schema %s", command);
                documented = ctl_read_file(path);
                ck_assert_msg(!strcmp(ctl_get(line), documented),
                        "%s is not what 'filememctl %s' says", path, line);
                free(documented);
        }
}
END_TEST

/* ---- help ------------------------------------------------------------------------------------ */

static void assert_fits(const char *text)
{
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
                ck_assert_msg(strcspn(line, "\n") <= 88, "long: %.100s", line);
}

START_TEST(every_command_has_help)
{
        size_t i;
        json_t *row;

        json_array_foreach(the_table, i, row)
        {
                char line[64], asked[1 << 14];
                const char *command = get(row, "command");

                snprintf(line, sizeof(line), "help %s", command);
                assert_fits(ctl_get(line));
                for_words(get(row, "options"), assert_completed, ctl_output);
                for_words(get(row, "columns"), assert_completed, ctl_output);
                ck_assert_uint_lt(strlen(ctl_output), sizeof(asked));
                strcpy(asked, ctl_output);
                snprintf(line, sizeof(line), "%s --help", command);
                ck_assert_str_eq(ctl_get(line), asked);
                ck_assert(has_word(ctl_get("help"), command));
        }
        assert_fits(ctl_get("--help"));
}
END_TEST

/* ---- mistakes -------------------------------------------------------------------------------- */

static void mistake(const char *line, const char *sentence)
{
        ck_assert_str_eq(ctl_fail(2, line), sentence);
}

START_TEST(a_mistake_is_told_with_what_to_do)
{
        mistake("", "say what to do: 'filememctl help' lists the commands");
        mistake("fly", "there is no command 'fly': 'filememctl help' lists them");
        mistake("usgae", "there is no command 'usgae': did you mean 'usage'?");
        mistake("help fly", "there is no command 'fly': 'filememctl help' lists them");
        mistake("ping pong",
                "pong is one word too many: 'filememctl help ping' shows how it is written");
        mistake("ping --fast",
                "there is no option --fast: 'filememctl help ping' lists those that it has");
        mistake("--fast", "there is no option --fast: 'filememctl help' lists them");
        mistake("ping --jsno", "there is no option --jsno: did you mean --json?");
        mistake("ping -x", "there is no option -x: 'filememctl help ping' lists those that it has");
        mistake("usage --by", "--by needs a value: say kind, session, uid, pool or label");
        mistake("usage --watch 2", "is 2 the time? write --watch=2; or --pool 2 if it is a pool");
        mistake("usage --delta 5s default",
                "default is one word too many: 'filememctl help usage' shows how it is written");
        mistake("ping --socket", "--socket needs a value: write --socket PATH");
        mistake("ping -s ''", "--socket: the path is empty: say where the daemon listens");
        mistake("ping --json=yes", "--json takes no value: leave out what comes after the \"=\"");
        mistake("ping --known", "--known is not for ping: 'filememctl help ping' lists what is");
        mistake("ping --json --raw", "--json or --raw? say one of them");
        mistake("ping --color=red", "--color cannot be 'red': say auto, always or never");
        mistake("usage one --pool two", "one or two? say one pool");
        mistake("usage ''", "usage: POOL is empty: leave it out, or say which");
        mistake("usage --pool ''", "--pool: a pool has a name: 'filememctl pools' lists them");
        mistake("dump --columns start,ends", "dump has no column 'ends': did you mean 'end'?");
        mistake("dump --columns start,", "dump has no column '': 'filememctl help dump' lists "
                                         "them");
        mistake("dump --sort=-size", "dump has no column 'size': 'filememctl help dump' lists "
                                     "them");
        mistake("destroy", "destroy: say which pool: 'filememctl pools' lists them");
        mistake("kick", "kick: say which session, by its number: 'filememctl sessions' lists them");
        mistake("kick me", "'me' is no session: say which session, by its number: 'filememctl "
                           "sessions' lists them");
        mistake("kick 99999999999999999999",
                "'99999999999999999999' is no session: say which session, by its number: "
                "'filememctl sessions' lists them");
        mistake("exec", "exec: say which program, and what it is to do");
        mistake("exec --private --", "exec: say which program, and what it is to do");
        mistake("exec --private --pool p true", "--private or --pool? say one of them");
        mistake("exec --json true", "--json is not for exec: 'filememctl help exec' lists what is");
        mistake("completion tcsh", "completion: say which shell: bash, zsh or fish");
        mistake("schema kick", "kick prints no JSON: 'filememctl help --columns command,columns' "
                               "shows which do");
}
END_TEST

START_TEST(options_may_stand_anywhere)
{
        ctl_fail(3, "--socket /nonexistent --pool p usage --json");
        ctl_fail(3, "usage p -s /nonexistent --pool=p");
        ctl_fail(3, "--pool p destroy -y -s /nonexistent");
        ctl_fail(3, "usage -s /nonexistent -- --json");
        ctl_fail(3, "exec -s /nonexistent true --json --private");
        ctl_fail(3, "dump -s /nonexistent --sort -LENGTH -o +end,length");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli grammar");
        TCase *tests = harness_case(suite, "cli grammar", 60);

        tcase_add_checked_fixture(tests, load, unload);
        tcase_add_test(tests, the_manual_has_every_command_and_column);
        tcase_add_test(tests, the_manual_has_every_option);
        tcase_add_test(tests, the_manual_has_no_other_option);
        tcase_add_test(tests, completions_have_every_word);
        tcase_add_test(tests, bash_completes);
        tcase_add_test(tests, schemas_are_those_of_the_docs);
        tcase_add_test(tests, every_command_has_help);
        tcase_add_test(tests, a_mistake_is_told_with_what_to_do);
        tcase_add_test(tests, options_may_stand_anywhere);
        return harness_run(suite);
}
