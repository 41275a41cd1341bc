// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

#include <ctype.h>
#include <string.h>

static const struct column list[] = {
        {"command", "COMMAND", COLUMN_TEXT, .help = "its name"},
        {"word", "WORD", COLUMN_TEXT,
                .help = "what comes after it, in brackets if it may be left out", .maybe = true},
        {"help", "HELP", COLUMN_TEXT, .help = "what it does"},
        {"options", "OPTIONS", COLUMN_TEXT, .help = "the options that it has, with a space between",
                .extra = true, .maybe = true},
        {"columns", "COLUMNS", COLUMN_TEXT, .help = "the columns that it has, with a space between",
                .extra = true, .maybe = true},
};

const struct columns help_columns = COLUMNS_OF(list);

/* ---- for people ------------------------------------------------------------------------------ */

static void print_option(enum option_id id)
{
        const struct option_info *info = &option_infos[id];
        char name[48], letter[5] = "    ";

        if (info->letter)
                snprintf(letter, sizeof(letter), "-%c, ", info->letter);
        snprintf(name, sizeof(name), "--%s%s%s%s", info->name,
                !info->argument  ? ""
                : info->optional ? "[="
                                 : " ",
                info->argument ? info->argument : "", info->optional ? "]" : "");
        printf("  %s%-16s %s\n", letter, name, info->help);
}

static void print_options(uint64_t options)
{
        for (int id = 0; id < OPTION_COUNT; id++)
                if (options & OPTION_BIT(id))
                        print_option((enum option_id)id);
}

static void print_all(void)
{
        const struct command *command;

        fputs("Usage: filememctl [--socket PATH] [--pool POOL] COMMAND [OPTION...]\n"
              "       filememctl help COMMAND\n"
              "Asks filememd, the memory server of this host: where has the memory gone?\n"
              "\n"
              "Commands:\n",
                stdout);
        for (size_t i = 0; (command = command_at(i)); i++) {
                char word[COMMAND_WORD_MAX];
                int used = printf("  %s%s", command->name, command_word(command, word));

                printf("%*s %s\n", used < 20 ? 20 - used : 0, "", command->help);
        }
        fputs("\n"
              "POOL is the default pool where it may be left out. The options come before or\n"
              "after the command; 'filememctl help COMMAND' has the ones that not all have, and\n"
              "the columns.\n"
              "\n"
              "Options:\n",
                stdout);
        print_options((UINT64_C(2) << OPTION_COLOR) - 1);
        print_options(OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION));
        fputs("\n"
              "The usual places of the socket are $FILEMEM_SOCKET, else\n" FILEMEM_SOCKET_DEFAULT
              " or, when not root,\n"
              "$XDG_RUNTIME_DIR/filemem/filemem.sock if that exists.\n"
              "\n"
              "Exit codes:\n"
              "  0  fine\n"
              "  1  the daemon refused or failed, or the output could not be written\n"
              "  2  the command line is wrong\n"
              "  3  the daemon cannot be reached, or went away\n",
                stdout);
}

static void print_columns(const struct columns *columns)
{
        puts("\nColumns, for --columns and --sort, and the keys of JSON (+: not shown unless asked "
             "for):");
        for (size_t i = 0; i < columns->count; i++)
                printf("  %c %-21s %s\n", columns->list[i].extra ? '+' : ' ', columns->list[i].key,
                        columns->list[i].help);
}

static void print_command(const struct command *command)
{
        char word[COMMAND_WORD_MAX];

        command_word(command, word);
        printf("Usage: filememctl %s%s [OPTION...]%s\n%c%s.\n", command->name,
                command->runs_program ? "" : word, command->runs_program ? word : "",
                toupper(command->help[0]), command->help + 1);
        if (command->text)
                printf("%s\n", command->text);
        puts("\nOptions:");
        print_options(command_options(command));
        if (command->columns)
                print_columns(command->columns);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void join(char *text, size_t size, const char *name)
{
        size_t used = strlen(text);

        snprintf(text + used, size - used, "%s%s", used ? " " : "", name);
}

static int add(struct table *table, const struct command *command)
{
        char word[COMMAND_WORD_MAX], options[1024] = "", columns[2048] = "";

        for (int id = 0; id < OPTION_COUNT; id++)
                if (command_options(command) & OPTION_BIT(id))
                        join(options, sizeof(options), option_infos[id].name);
        for (size_t i = 0; command->columns && i < command->columns->count; i++)
                join(columns, sizeof(columns), command->columns->list[i].key);
        command_word(command, word);
        const struct cell cells[] = {
                CELL_TEXT(command->name),
                CELL_TEXT(word[0] ? word + 1 : ""),
                CELL_TEXT(command->help),
                CELL_TEXT(options),
                CELL_TEXT(columns),
        };

        return table_add(table, cells);
}

static int print_table(const struct options *options, const struct command *only)
{
        const struct command *command;
        struct table *table;
        int r = table_new("help", &help_columns, options, &table);

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && (command = command_at(i)); i++)
                if (!only || only == command)
                        r = add(table, command);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

int help_run(const struct options *options)
{
        bool asked = options->word && options->command->word == WORD_COMMAND;
        const struct command *command = asked ? command_find(options->word) : NULL;

        /* `COMMAND --help` is asked here too. */
        if (option_is_given(options, OPTION_HELP) && !command)
                command = options->command;
        if (!options_for_people(options) || option_is_given(options, OPTION_COLUMNS))
                return print_table(options, command);
        if (command)
                print_command(command);
        else
                print_all();
        return 0;
}
