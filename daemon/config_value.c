// SPDX-License-Identifier: Apache-2.0
#include "config_value.h"

#include "base/clock.h"
#include "memory/pool.h"
#include "server/access.h"
#include "server/limits.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static int fail(char *error, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(error, CONFIG_VALUE_ERROR_MAX, format, arguments);
        va_end(arguments);
        return -EINVAL;
}

static int fail_memory(char *error)
{
        fail(error, "out of memory");
        return -ENOMEM;
}

int config_parse_path(const char *value, const void *argument, void *target, char *error)
{
        char **path = target, *copy;

        (void)argument;
        if (!value[0])
                return fail(error, "the path is empty");
        copy = strdup(value);
        if (!copy)
                return fail_memory(error);
        free(*path);
        *path = copy;
        return 0;
}

int config_parse_mode(const char *value, const void *argument, void *target, char *error)
{
        char *end;
        unsigned long mode = strtoul(value, &end, 8);

        (void)argument;
        if (!isdigit((unsigned char)value[0]) || *end || mode > 0777)
                return fail(error, "'%s' is no octal mode such as 0660", value);
        *(mode_t *)target = (mode_t)mode;
        return 0;
}

int config_parse_bool(const char *value, const void *argument, void *target, char *error)
{
        static const char *const no_and_yes[2] = {"no", "yes"};
        const char *const *words = argument ? argument : no_and_yes;
        bool yes = strcmp(value, words[1]) == 0;

        if (!yes && strcmp(value, words[0]) != 0)
                return fail(error, "'%s' is not %s or %s", value, words[1], words[0]);
        *(bool *)target = yes;
        return 0;
}

/* "'loud' is not error, warning or info" */
static int fail_choice(const char *value, const struct config_choice *choices, char *error)
{
        int used = snprintf(error, CONFIG_VALUE_ERROR_MAX, "'%s' is not ", value);

        for (size_t i = 0; choices[i].name && used < CONFIG_VALUE_ERROR_MAX; i++)
                used += snprintf(error + used, (size_t)(CONFIG_VALUE_ERROR_MAX - used), "%s%s",
                        !i                    ? ""
                        : choices[i + 1].name ? ", "
                                              : " or ",
                        choices[i].name);
        return -EINVAL;
}

int config_parse_choice(const char *value, const void *argument, void *target, char *error)
{
        const struct config_choice *choices = argument;

        for (size_t i = 0; choices[i].name; i++) {
                if (strcmp(choices[i].name, value) != 0)
                        continue;
                *(int *)target = choices[i].value;
                return 0;
        }
        return fail_choice(value, choices, error);
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* A decimal number, and nothing else, up to *ret_end. */
static bool read_number(const char *value, uint64_t *ret, char **ret_end)
{
        if (!isdigit((unsigned char)value[0]))
                return false;
        errno = 0;
        *ret = strtoull(value, ret_end, 10);
        return !errno;
}

static bool is_beyond(uint64_t number, const void *largest)
{
        return largest && number > *(const uint64_t *)largest;
}

int config_parse_number(const char *value, const void *argument, void *target, char *error)
{
        uint64_t number;
        char *end;

        if (!read_number(value, &number, &end) || *end)
                return fail(error, "'%s' is no number", value);
        if (is_beyond(number, argument))
                return fail(error, "'%s' is more than %llu", value,
                        (unsigned long long)*(const uint64_t *)argument);
        *(uint64_t *)target = number;
        return 0;
}

/* Returns false if it is no size, or too large to be one. */
static bool read_size(const char *value, uint64_t *ret)
{
        static const char units[] = "KMGT";
        const char *unit;
        unsigned shift = 0;
        char *end;

        if (!read_number(value, ret, &end))
                return false;
        if (*end) {
                unit = strchr(units, *end);
                if (!unit || end[1])
                        return false;
                shift = 10 * ((unsigned)(unit - units) + 1);
        }
        if (*ret > UINT64_MAX >> shift)
                return false;
        *ret <<= shift;
        return true;
}

int config_parse_size(const char *value, const void *argument, void *target, char *error)
{
        uint64_t size;

        if (!read_size(value, &size))
                return fail(error, "'%s' is no size such as 512M or 2T", value);
        if (is_beyond(size, argument))
                return fail(error, "'%s' is more than %llu", value,
                        (unsigned long long)*(const uint64_t *)argument);
        *(uint64_t *)target = size;
        return 0;
}

static int take_limit(
        const char *value, uint64_t number, const void *smallest, uint64_t *target, char *error)
{
        if (smallest && number < *(const uint64_t *)smallest)
                return fail(error, "'%s' is less than %llu", value,
                        (unsigned long long)*(const uint64_t *)smallest);
        *target = number;
        return 0;
}

int config_parse_limit(const char *value, const void *argument, void *target, char *error)
{
        uint64_t number = LIMIT_NONE;
        char *end;

        if (strcmp(value, "none") != 0 && (!read_number(value, &number, &end) || *end))
                return fail(error, "'%s' is neither a number nor none", value);
        return take_limit(value, number, argument, target, error);
}

int config_parse_limit_size(const char *value, const void *argument, void *target, char *error)
{
        uint64_t size = LIMIT_NONE;

        if (strcmp(value, "none") != 0 && !read_size(value, &size))
                return fail(error, "'%s' is neither a size such as 512M nor none", value);
        return take_limit(value, size, argument, target, error);
}

/* A number of units of so many ns each. */
static int parse_time(
        const char *value, uint64_t largest, uint64_t unit, uint64_t *ret, char *error)
{
        uint64_t number = 0;
        int r = config_parse_number(value, &largest, &number, error);

        if (r == 0)
                *ret = number * unit;
        return r;
}

int config_parse_seconds(const char *value, const void *argument, void *target, char *error)
{
        (void)argument;
        return parse_time(value, 86400, NSEC_PER_SEC, target, error);
}

int config_parse_microseconds(const char *value, const void *argument, void *target, char *error)
{
        (void)argument;
        return parse_time(value, 1000, NSEC_PER_USEC, target, error);
}

int config_parse_capacity(const char *value, const void *argument, void *target, char *error)
{
        uint64_t largest = POOL_PAGES_MAX * (uint64_t)sysconf(_SC_PAGESIZE), size = 0;
        int r = config_parse_size(value, argument, &size, error);

        if (r < 0)
                return r;
        if (!size || size % CHUNK_SIZE || size > largest)
                return fail(error, "'%s' is not a multiple of 16M up to %lluM", value,
                        (unsigned long long)(largest >> 20));
        *(uint64_t *)target = size;
        return 0;
}

/* ---- users and groups ------------------------------------------------------------------------ */

/* A user or group by its number. The last one is what system calls take for "none". */
static bool read_id(const char *name, uint32_t *ret)
{
        uint64_t number;
        char *end;

        if (!read_number(name, &number, &end) || *end || number >= UINT32_MAX)
                return false;
        *ret = (uint32_t)number;
        return true;
}

static int find_user(const char *name, uint32_t *ret, char *error)
{
        const struct passwd *entry;

        if (read_id(name, ret))
                return 0;
        entry = getpwnam(name);
        if (!entry)
                return fail(error, "there is no user '%s'", name);
        *ret = entry->pw_uid;
        return 0;
}

static int find_group(const char *name, uint32_t *ret, char *error)
{
        const struct group *entry;

        if (read_id(name, ret))
                return 0;
        entry = getgrnam(name);
        if (!entry)
                return fail(error, "there is no group '%s'", name);
        *ret = entry->gr_gid;
        return 0;
}

int config_parse_group(const char *value, const void *argument, void *target, char *error)
{
        uint32_t id = 0;
        int r = find_group(value, &id, error);

        (void)argument;
        if (r < 0)
                return r;
        *(gid_t *)target = id;
        return 0;
}

static int add_principal(struct principals *principals, const char *word, char *error)
{
        struct principal principal = {.is_group = word[0] == '@'};
        int r;

        if (strcmp(word, "*") == 0) {
                principals->everybody = true;
                return 0;
        }
        r = principal.is_group ? find_group(word + 1, &principal.id, error)
                               : find_user(word, &principal.id, error);
        if (r < 0)
                return r;
        r = principals_add(principals, principal);
        return r < 0 ? fail_memory(error) : 0;
}

int config_parse_principals(const char *value, const void *argument, void *target, char *error)
{
        struct principals principals = PRINCIPALS_NONE;
        char *words = strdup(value);
        char *rest = words, *word;
        int r = 0;

        (void)argument;
        if (!words)
                return fail_memory(error);
        while (r == 0 && (word = strsep(&rest, " \t,")))
                if (word[0])
                        r = add_principal(&principals, word, error);
        free(words);
        if (r < 0) {
                principals_deinit(&principals);
                return r;
        }
        principals_deinit(target);
        *(struct principals *)target = principals;
        return 0;
}
