// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One reading of one file. */
struct reading {
        const char *path;
        FILE *stream;
        int line;
        int error_line; /* 0: no error yet */
        int read_error; /* errno, 0: none */
        char *error;    /* CONFIG_ERROR_MAX bytes */
        struct config config;
        unsigned seen; /* a bit for each key */
};

__attribute__((format(printf, 2, 3))) static int fail(
        struct reading *reading, const char *format, ...)
{
        va_list arguments;
        int used;

        if (reading->error_line)
                return 0; /* the first error is the one to mend */
        reading->error_line = reading->line;
        used = snprintf(reading->error, CONFIG_ERROR_MAX, "%s:%d: ", reading->path, reading->line);
        if (used < 0 || used >= CONFIG_ERROR_MAX)
                return 0;
        va_start(arguments, format);
        vsnprintf(reading->error + used, (size_t)(CONFIG_ERROR_MAX - used), format, arguments);
        va_end(arguments);
        return 0; /* what inih calls a failure */
}

/* ---- values: each returns 1, or what fail() does -----------------------------------------------
 */

static int parse_socket(struct reading *reading, const char *value)
{
        char *copy;

        if (!value[0])
                return fail(reading, "socket: the path is empty");
        copy = strdup(value);
        if (!copy)
                return fail(reading, "out of memory");
        free(reading->config.socket);
        reading->config.socket = copy;
        return 1;
}

static int parse_socket_mode(struct reading *reading, const char *value)
{
        char *end;
        unsigned long mode = strtoul(value, &end, 8);

        if (!isdigit((unsigned char)value[0]) || *end || mode > 0777)
                return fail(reading, "socket_mode: '%s' is no octal mode such as 0660", value);
        reading->config.socket_mode = (mode_t)mode;
        return 1;
}

/* Index of value in names, which ends with NULL; -1 if it is not there. */
static int find_name(const char *const *names, const char *value)
{
        for (int i = 0; names[i]; i++)
                if (strcmp(names[i], value) == 0)
                        return i;
        return -1;
}

static int parse_log_level(struct reading *reading, const char *value)
{
        static const char *const names[] = {"error", "warning", "info", "debug", NULL};
        static const enum log_level levels[] = {
                LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
        int i = find_name(names, value);

        if (i < 0)
                return fail(reading, "log_level: '%s' is not error, warning, info or debug", value);
        reading->config.log_level = levels[i];
        return 1;
}

static int parse_accounting(struct reading *reading, const char *value)
{
        static const char *const names[] = {"best", "cachestat", "seek", NULL};
        int i = find_name(names, value);

        if (i < 0)
                return fail(reading, "accounting: '%s' is not best, cachestat or seek", value);
        reading->config.accounting =
                (enum accounting)i; /* the names are in the order of the enum */
        return 1;
}

static int parse_exec(struct reading *reading, const char *value)
{
        static const char *const names[] = {"no", "yes", NULL};
        int i = find_name(names, value);

        if (i < 0)
                return fail(reading, "exec: '%s' is not yes or no", value);
        reading->config.exec = i;
        return 1;
}

/* Bytes from "16384", "512M", "2T". Returns false if it is no size, or too large to be one. */
static bool read_size(const char *value, uint64_t *ret)
{
        static const char units[] = "KMGT";
        const char *unit;
        unsigned shift = 0;
        char *end;

        if (!isdigit((unsigned char)value[0]))
                return false;
        errno = 0;
        *ret = strtoull(value, &end, 10);
        if (errno)
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

static int parse_capacity(struct reading *reading, const char *value)
{
        uint64_t largest = POOL_PAGES_MAX * (uint64_t)sysconf(_SC_PAGESIZE), size;

        if (!read_size(value, &size))
                return fail(reading, "capacity: '%s' is no size such as 512M or 2T", value);
        if (!size || size % CHUNK_SIZE || size > largest)
                return fail(reading, "capacity: '%s' is not a multiple of 16M up to %lluT", value,
                        (unsigned long long)(largest >> 40));
        reading->config.capacity = size;
        return 1;
}

/* ---- the file -------------------------------------------------------------------------------- */

static const struct key {
        const char *section;
        const char *name;
        int (*parse)(struct reading *reading, const char *value);
} keys[] = {
        {"daemon", "socket", parse_socket},
        {"daemon", "socket_mode", parse_socket_mode},
        {"daemon", "log_level", parse_log_level},
        {"daemon", "accounting", parse_accounting},
        {"pool default", "capacity", parse_capacity},
        {"pool default", "exec", parse_exec},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool is_section(const char *name)
{
        for (size_t i = 0; i < KEYS; i++)
                if (strcmp(keys[i].section, name) == 0)
                        return true;
        return false;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
        struct reading *reading = user;

        if (!section[0])
                return fail(reading, "key '%s' stands before the first section", name);
        for (size_t i = 0; i < KEYS; i++) {
                if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
                        continue;
                if (reading->seen & 1u << i)
                        return fail(reading, "key '%s' is given twice", name);
                reading->seen |= 1u << i;
                return keys[i].parse(reading, value);
        }
        if (is_section(section))
                return fail(reading, "unknown key '%s' in [%s]", name, section);
        return fail(reading, "unknown section [%s]", section);
}

/* inih tells of keys only: a section without any is looked at here. */
static void check_section(struct reading *reading, const char *line)
{
        const char *start = line + strspn(line, " \t"), *end = strchr(start, ']');
        char name[64];

        if (*start != '[' || !end)
                return;
        snprintf(name, sizeof(name), "%.*s", (int)(end - start - 1), start + 1);
        if (!is_section(name))
                fail(reading, "unknown section [%s]", name);
}

/* inih's way to get a line: counts them, and refuses one that inih would silently cut in two. */
static char *read_line(char *buffer, int size, void *stream)
{
        struct reading *reading = stream;
        char *line = fgets(buffer, size, reading->stream);

        if (!line) {
                reading->read_error = ferror(reading->stream) ? errno : 0;
                return NULL;
        }
        reading->line++;
        if (strlen(line) + 1 == (size_t)size && !strchr(line, '\n')) {
                fail(reading, "line is too long");
                return NULL;
        }
        check_section(reading, line);
        return line;
}

/* inih has one argument for the reader and one for the handler; here both are the reading. */
static int parse_file(struct reading *reading)
{
        int line = ini_parse_stream(read_line, reading, on_key, reading);

        if (line < 0) {
                reading->line++;
                fail(reading, "out of memory");
        } else if (line > 0 && (!reading->error_line || line < reading->error_line)) {
                reading->error_line = 0;
                reading->line = line;
                fail(reading, "neither a [section] nor a 'key = value'");
        }
        if (reading->read_error) {
                snprintf(reading->error, CONFIG_ERROR_MAX, "%s: cannot read it: %s", reading->path,
                        strerror(reading->read_error));
                return -reading->read_error;
        }
        return reading->error_line ? -EINVAL : 0;
}

void config_init(struct config *config)
{
        *config = (struct config){
                .socket_mode = 0660,
                .log_level = LOG_LEVEL_INFO,
                .accounting = ACCOUNTING_BEST,
        };
}

void config_deinit(struct config *config)
{
        free(config->socket);
        config->socket = NULL;
}

int config_read(struct config *config, const char *path, char error[CONFIG_ERROR_MAX])
{
        struct reading reading = {.path = path, .error = error, .config = *config};
        int r;

        reading.stream = fopen(path, "re");
        if (!reading.stream) {
                r = -errno;
                snprintf(error, CONFIG_ERROR_MAX, "%s: cannot read it: %s", path, strerror(-r));
                return r;
        }
        reading.config.socket = NULL; /* the old one stays where it is until all is right */
        r = parse_file(&reading);
        fclose(reading.stream);
        if (r < 0) {
                config_deinit(&reading.config);
                return r;
        }
        if (!reading.config.socket)
                reading.config.socket = steal_ptr(config->socket);
        config_deinit(config);
        *config = reading.config;
        return 0;
}
