// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <string.h>

/*
 * Completion scripts of three shells, made of the tables of commands, options and columns. Pools
 * and sessions are asked of the daemon when they are wanted.
 */

/* ---- what there is to say, as one line of words -----------------------------------------------
 */

static void print_list(const char *const *of)
{
        for (size_t i = 0; of[i]; i++)
                printf("%s%s", i ? " " : "", of[i]);
}

static void print_commands(void)
{
        for (size_t i = 0; command_at(i); i++)
                printf("%s%s", i ? " " : "", command_at(i)->name);
}

static void print_option_names(uint64_t options)
{
        const char *space = "";

        for (int id = 0; id < OPTION_COUNT; id++) {
                if (!(options & OPTION_BIT(id)))
                        continue;
                printf("%s--%s", space, option_infos[id].name);
                space = " ";
        }
}

static void print_column_names(const struct columns *columns)
{
        for (size_t i = 0; i < columns->count; i++)
                printf("%s%s", i ? " " : "", columns->list[i].key);
}

/* A word in single quotes, of a shell that has no way to have one in them. */
static void print_quoted(const char *text)
{
        putchar('\'');
        for (; *text; text++) {
                if (*text == '\'')
                        fputs("'\\'", stdout);
                putchar(*text);
        }
        putchar('\'');
}

#define ASK_POOLS    "filememctl pools --raw --no-header --columns pool 2>/dev/null"
#define ASK_SESSIONS "filememctl sessions --raw --no-header --columns session 2>/dev/null"

/* What the word after a command is completed from, as a shell's command substitution. */
static void print_words(const struct command *command)
{
        switch (command->word) {
        case WORD_POOL:
                fputs("$(" ASK_POOLS ")", stdout);
                break;
        case WORD_SESSION:
                fputs("$(" ASK_SESSIONS ")", stdout);
                break;
        case WORD_COMMAND:
                print_commands();
                break;
        default:
                if (word_infos[command->word].of)
                        print_list(word_infos[command->word].of);
                break;
        }
}

/* ---- bash ------------------------------------------------------------------------------------ */

static void print_bash_values(void)
{
        for (int id = 0; id < OPTION_COUNT; id++) {
                const struct option_info *info = &option_infos[id];

                if (!info->argument)
                        continue;
                printf("        --%s", info->name);
                if (info->letter)
                        printf("|-%c", info->letter);
                if (id == OPTION_POOL) {
                        fputs(") words=$(" ASK_POOLS ") ;;\n", stdout);
                } else if (id == OPTION_COLUMNS || id == OPTION_SORT) {
                        fputs(") words=$columns ;;\n", stdout);
                } else if (info->of) {
                        fputs(") words='", stdout);
                        print_list(info->of);
                        fputs("' ;;\n", stdout);
                } else {
                        fputs(") COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n", stdout);
                }
        }
}

static void print_bash_command(const struct command *command)
{
        printf("        %s)\n            options='", command->name);
        print_option_names(command_options(command));
        fputs("'\n            columns='", stdout);
        if (command->columns)
                print_column_names(command->columns);
        fputs("'\n", stdout);
        if (command->runs_program) {
                puts("            words=$(compgen -c -- \"$current\") ;;");
                return;
        }
        if (command->word != WORD_NONE) {
                fputs("            [[ $current == -* ]] || words=\"", stdout);
                print_words(command);
                fputs("\"\n", stdout);
        }
        puts("            ;;");
}

static void print_bash(void)
{
        fputs("# bash completion for filememctl, made by: filememctl completion bash\n"
              "_filememctl() {\n"
              "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
              "    local command='' options='--",
                stdout);
        printf("%s --%s --%s --%s' columns='' words='' i\n", option_infos[OPTION_SOCKET].name,
                option_infos[OPTION_POOL].name, option_infos[OPTION_HELP].name,
                option_infos[OPTION_VERSION].name);
        fputs("    if [[ $current == = ]]; then\n"
              "        current=''\n"
              "    elif [[ $before == = ]]; then\n"
              "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
              "    fi\n"
              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "        case ${COMP_WORDS[i]} in\n"
              "        -s|-p|--socket|--pool) ((i++)) ;;\n"
              "        -*) ;;\n"
              "        *) command=${COMP_WORDS[i]}; break ;;\n"
              "        esac\n"
              "    done\n"
              "    case $command in\n"
              "        '') words='",
                stdout);
        print_commands();
        fputs("' ;;\n", stdout);
        for (size_t i = 0; command_at(i); i++)
                print_bash_command(command_at(i));
        fputs("    esac\n"
              "    [[ $current == -* ]] && words=$options\n"
              "    case $before in\n",
                stdout);
        print_bash_values();
        fputs("    esac\n"
              "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
              "}\n"
              "complete -F _filememctl filememctl\n",
                stdout);
}

/* ---- zsh ------------------------------------------------------------------------------------- */

/* In a specification of _arguments brackets and colons mean something. */
static void print_zsh_text(const char *text)
{
        for (; *text; text++) {
                if (strchr("[]:", *text))
                        putchar('\\');
                if (*text == '\'')
                        fputs("'\\'", stdout);
                putchar(*text);
        }
}

static void print_zsh_value(enum option_id id, const struct columns *columns)
{
        const struct option_info *info = &option_infos[id];

        printf("%s:%s:", info->optional ? ":" : "", info->argument);
        if (id == OPTION_POOL) {
                fputs("($(" ASK_POOLS "))", stdout);
        } else if (id == OPTION_SORT || id == OPTION_COLUMNS) {
                fputs(id == OPTION_SORT ? "(" : "_sequence compadd - ", stdout);
                print_column_names(columns);
                fputs(id == OPTION_SORT ? ")" : "", stdout);
        } else if (info->of) {
                putchar('(');
                print_list(info->of);
                putchar(')');
        } else {
                fputs("_files", stdout);
        }
}

static void print_zsh_option(enum option_id id, const struct columns *columns)
{
        const struct option_info *info = &option_infos[id];

        printf("            '--%s%s[", info->name,
                !info->argument  ? ""
                : info->optional ? "=-"
                                 : "=");
        print_zsh_text(info->help);
        putchar(']');
        if (info->argument)
                print_zsh_value(id, columns);
        puts("' \\");
}

static void print_zsh_command(const struct command *command)
{
        printf("    %s)\n        _arguments \\\n", command->name);
        for (int id = 0; id < OPTION_COUNT; id++)
                if (command_options(command) & OPTION_BIT(id))
                        print_zsh_option((enum option_id)id, command->columns);
        if (command->runs_program) {
                puts("            '*::program:_normal'");
        } else if (command->word != WORD_NONE) {
                printf("            '1:%s:(", word_infos[command->word].name);
                print_words(command);
                puts(")'");
        } else {
                puts("            '*: :'");
        }
        puts("        ;;");
}

static void print_zsh(void)
{
        fputs("#compdef filememctl\n"
              "# zsh completion for filememctl, made by: filememctl completion zsh\n"
              "_filememctl() {\n"
              "    local context state line\n"
              "    local -a commands\n"
              "    commands=(\n",
                stdout);
        for (size_t i = 0; command_at(i); i++) {
                printf("        '%s:", command_at(i)->name);
                print_zsh_text(command_at(i)->help);
                puts("'");
        }
        fputs("    )\n"
              "    _arguments -C \\\n",
                stdout);
        print_zsh_option(OPTION_SOCKET, NULL);
        print_zsh_option(OPTION_POOL, NULL);
        print_zsh_option(OPTION_HELP, NULL);
        print_zsh_option(OPTION_VERSION, NULL);
        fputs("            '1:command:->command' '*::word:->word'\n"
              "    [[ $state == command ]] && { _describe command commands; return }\n"
              "    case $words[1] in\n",
                stdout);
        for (size_t i = 0; command_at(i); i++)
                print_zsh_command(command_at(i));
        fputs("    esac\n"
              "}\n"
              "[[ $funcstack[1] == _filememctl ]] && _filememctl \"$@\" || compdef _filememctl "
              "filememctl\n",
                stdout);
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void print_fish_option(enum option_id id)
{
        const struct option_info *info = &option_infos[id];
        bool global = id == OPTION_SOCKET || id == OPTION_POOL || id == OPTION_HELP ||
                      id == OPTION_VERSION;

        fputs("complete -c filememctl", stdout);
        if (!global) {
                fputs(" -n '__fish_seen_subcommand_from", stdout);
                for (size_t i = 0; command_at(i); i++)
                        if (command_options(command_at(i)) & OPTION_BIT(id))
                                printf(" %s", command_at(i)->name);
                putchar('\'');
        }
        printf(" -l %s", info->name);
        if (info->letter)
                printf(" -s %c", info->letter);
        if (info->argument)
                fputs(info->of || id == OPTION_POOL ? " -x" : " -r", stdout);
        if (info->of) {
                fputs(" -a '", stdout);
                print_list(info->of);
                putchar('\'');
        } else if (id == OPTION_POOL) {
                fputs(" -a '(" ASK_POOLS ")'", stdout);
        } else if (id == OPTION_SOCKET) {
                fputs(" -F", stdout);
        }
        fputs(" -d ", stdout);
        print_quoted(info->help);
        putchar('\n');
}

static void print_fish_command(const struct command *command)
{
        printf("complete -c filememctl -n __fish_use_subcommand -a %s -d ", command->name);
        print_quoted(command->help);
        putchar('\n');
        if (command->columns) {
                printf("complete -c filememctl -n '__fish_seen_subcommand_from %s' -l columns "
                       "-s o -x -a '",
                        command->name);
                print_column_names(command->columns);
                puts("'");
        }
        if (command->columns && !command->columns->record) {
                printf("complete -c filememctl -n '__fish_seen_subcommand_from %s' -l sort -x -a '",
                        command->name);
                print_column_names(command->columns);
                puts("'");
        }
        if (command->word == WORD_NONE)
                return;
        printf("complete -c filememctl -n '__fish_seen_subcommand_from %s' -a '", command->name);
        if (command->word == WORD_POOL)
                fputs("(" ASK_POOLS ")", stdout);
        else if (command->word == WORD_SESSION)
                fputs("(" ASK_SESSIONS ")", stdout);
        else
                print_words(command);
        puts("'");
}

static void print_fish(void)
{
        puts("# fish completion for filememctl, made by: filememctl completion fish\n"
             "complete -c filememctl -f");
        for (size_t i = 0; command_at(i); i++)
                print_fish_command(command_at(i));
        for (int id = 0; id < OPTION_COUNT; id++)
                if (id != OPTION_COLUMNS && id != OPTION_SORT)
                        print_fish_option((enum option_id)id);
}

int completion_run(const struct options *options)
{
        if (!strcmp(options->word, "bash"))
                print_bash();
        else if (!strcmp(options->word, "zsh"))
                print_zsh();
        else
                print_fish();
        return 0;
}
