// SPDX-License-Identifier: Apache-2.0
#include "columns.h"

#include "command.h"
#include "complain.h"
#include "suggest.h"

#include <string.h>
#include <strings.h>

/* By its key, or by its name for people. -1 if there is none. */
static int find(const struct columns *columns, const char *name, size_t length)
{
        for (size_t i = 0; i < columns->count; i++) {
                const struct column *column = &columns->list[i];

                if ((strlen(column->key) == length && !strncasecmp(column->key, name, length)) ||
                        (strlen(column->header) == length &&
                                !strncasecmp(column->header, name, length)))
                        return (int)i;
        }
        return -1;
}

static enum exit_code complain_of(const struct command *command, const char *name, size_t length)
{
        const char *keys[COLUMNS_MAX + 1] = {NULL}, *similar;
        char word[32];

        snprintf(word, sizeof(word), "%.*s", (int)length, name);
        for (size_t i = 0; i < command->columns->count; i++)
                keys[i] = command->columns->list[i].key;
        similar = suggest_one_of(word, keys);
        if (similar)
                return complain(
                        "%s has no column '%s': did you mean '%s'?", command->name, word, similar);
        return complain("%s has no column '%s': 'filememctl help %s' lists them", command->name,
                word, command->name);
}

/* The list without its "+". Returns whether it had one. */
static bool skip_plus(const char **list)
{
        if (**list != '+')
                return false;
        (*list)++;
        return true;
}

enum exit_code columns_check(const struct options *options)
{
        const struct command *command = options->command;
        const char *sort = options->value[OPTION_SORT], *list = options->value[OPTION_COLUMNS];

        if (sort) {
                sort += *sort == '-' || *sort == '+';
                if (find(command->columns, sort, strlen(sort)) < 0)
                        return complain_of(command, sort, strlen(sort));
        }
        if (!list || !strcasecmp(list, "all"))
                return EXIT_CODE_OK;
        for (skip_plus(&list);; list++) {
                size_t length = strcspn(list, ",");

                if (find(command->columns, list, length) < 0)
                        return complain_of(command, list, length);
                list += length;
                if (!*list)
                        return EXIT_CODE_OK;
        }
}

static size_t add(size_t *shown, size_t count, size_t index)
{
        for (size_t i = 0; i < count; i++)
                if (shown[i] == index)
                        return count;
        shown[count] = index;
        return count + 1;
}

size_t columns_choose(const struct columns *columns, const struct options *options, size_t *shown)
{
        const char *list = options->value[OPTION_COLUMNS];
        bool all = list ? !strcasecmp(list, "all") : !options_for_people(options);
        size_t count = 0;

        if (all || !list || skip_plus(&list))
                for (size_t i = 0; i < columns->count; i++)
                        if (all || !columns->list[i].extra)
                                count = add(shown, count, i);
        while (list && !all && *list) {
                size_t length = strcspn(list, ",");

                count = add(shown, count, (size_t)find(columns, list, length));
                list += length;
                list += *list == ',';
        }
        return count;
}

int columns_sort(const struct columns *columns, const char *sort, bool *ret_down)
{
        if (!sort)
                return -1;
        *ret_down = *sort == '-';
        sort += *sort == '-' || *sort == '+';
        return find(columns, sort, strlen(sort));
}
