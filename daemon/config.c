// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "config_value.h"

#include <ctype.h>
#include <dirent.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* inih cuts the name of a section here, and says nothing. */
#define SECTION_NAME_MAX 49

enum section {
        SECTION_NONE = 0,
        SECTION_DAEMON = 1,
        SECTION_POOL = 2,    /* [pool NAME] */
        SECTION_PRIVATE = 4, /* [private], which describes pools too */
        SECTION_LIMITS = 8,
};

/* ---- the keys: one line each ----------------------------------------------------------------- */

static const struct config_choice log_levels[] = {
        {"error", LOG_LEVEL_ERROR},
        {"warning", LOG_LEVEL_WARNING},
        {"info", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG},
        {NULL, 0},
};

static const struct config_choice accountings[] = {
        {"best", ACCOUNTING_BEST},
        {"cachestat", ACCOUNTING_CACHESTAT},
        {"seek", ACCOUNTING_SEEK},
        {NULL, 0},
};

static const struct config_choice when_full[] = {
        {"continue", CONFIG_CONTINUE},
        {"refuse", CONFIG_REFUSE},
        {NULL, 0},
};

static const char *const zero_words[2] = {"off", "verify"};
static const char *const huge_words[2] = {"never", "advise"};

#define DAEMON(field)   SECTION_DAEMON, offsetof(struct config, field)
#define POOL(field)     SECTION_POOL, offsetof(struct config_pool, field)
#define ANY_POOL(field) SECTION_POOL | SECTION_PRIVATE, offsetof(struct config_pool, field)

#define LIMIT(scope, limit)                                                                        \
        SECTION_LIMITS, offsetof(struct config, limits.sets[LIMITS_##scope].maximum[LIMIT_##limit])
#define POOL_LIMIT(limit) ANY_POOL(limits.maximum[LIMIT_##limit])

static const uint64_t one = 1; /* with none at all there would be waiting for ever */

static const struct key {
        const char *name;
        unsigned sections; /* that have it */
        size_t offset;     /* of its field in struct config, or struct config_pool */
        config_parse *parse;
        const void *argument;
} keys[] = {
        {"session_bytes", LIMIT(SESSION, BYTES), config_parse_limit_size, NULL},
        {"session_ranges", LIMIT(SESSION, RANGES), config_parse_limit, NULL},
        {"session_peers", LIMIT(SESSION, PEERS), config_parse_limit, NULL},
        {"session_replies", LIMIT(SESSION, REPLIES), config_parse_limit_size, NULL},
        {"user_bytes", LIMIT(USER, BYTES), config_parse_limit_size, NULL},
        {"user_ranges", LIMIT(USER, RANGES), config_parse_limit, NULL},
        {"user_sessions", LIMIT(USER, SESSIONS), config_parse_limit, &one},
        {"user_peers", LIMIT(USER, PEERS), config_parse_limit, NULL},
        {"user_replies", LIMIT(USER, REPLIES), config_parse_limit_size, NULL},
        {"user_requests", LIMIT(USER, REQUESTS), config_parse_limit, &one},
        {"total_bytes", LIMIT(TOTAL, BYTES), config_parse_limit_size, NULL},
        {"total_committed", LIMIT(TOTAL, COMMITTED), config_parse_limit_size, NULL},
        {"total_ranges", LIMIT(TOTAL, RANGES), config_parse_limit, NULL},
        {"total_sessions", LIMIT(TOTAL, SESSIONS), config_parse_limit, &one},
        {"total_peers", LIMIT(TOTAL, PEERS), config_parse_limit, NULL},
        {"total_replies", LIMIT(TOTAL, REPLIES), config_parse_limit_size, NULL},
        {"total_requests", LIMIT(TOTAL, REQUESTS), config_parse_limit, &one},
        {"hello_timeout", SECTION_LIMITS, offsetof(struct config, limits.hello_timeout),
                config_parse_seconds, NULL},
        {"limit_bytes", POOL_LIMIT(BYTES), config_parse_limit_size, NULL},
        {"limit_committed", POOL_LIMIT(COMMITTED), config_parse_limit_size, NULL},
        {"limit_ranges", POOL_LIMIT(RANGES), config_parse_limit, NULL},
        {"limit_sessions", POOL_LIMIT(SESSIONS), config_parse_limit, &one},
        {"limit_peers", POOL_LIMIT(PEERS), config_parse_limit, NULL},
        {"socket", DAEMON(socket), config_parse_path, NULL},
        {"socket_mode", DAEMON(socket_mode), config_parse_mode, NULL},
        {"log_level", DAEMON(log_level), config_parse_choice, log_levels},
        {"accounting", DAEMON(accounting), config_parse_choice, accountings},
        {"when_store_is_full", DAEMON(when_store_is_full), config_parse_choice, when_full},
        {"busy_poll", DAEMON(busy_poll), config_parse_microseconds, NULL},
        {"admin_group", DAEMON(admin_group), config_parse_group, NULL},
        {"capacity", ANY_POOL(options.capacity), config_parse_capacity, NULL},
        {"exec", ANY_POOL(options.exec), config_parse_bool, NULL},
        {"zero", ANY_POOL(options.zero_verify), config_parse_bool, zero_words},
        {"huge", ANY_POOL(options.huge_advise), config_parse_bool, huge_words},
        {"join", ANY_POOL(access.join), config_parse_principals, NULL},
        {"join_read_only", POOL(access.join_read_only), config_parse_principals, NULL},
        {"admin", POOL(access.admin), config_parse_principals, NULL},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

_Static_assert(KEYS <= 64, "each has a bit");

/* One reading of one file. */
struct reading {
        const char *path;
        FILE *stream;
        int line;
        int error_line; /* 0: no error yet */
        int result;
        char *error; /* CONFIG_ERROR_MAX bytes */
        struct config *config;
        enum section section;
        struct config_pool *pool; /* of the section */
        uint64_t seen;            /* keys of [daemon] */
        char section_name[SECTION_NAME_MAX + 1];
};

__attribute__((format(printf, 3, 4))) static int fail(
        struct reading *reading, int result, const char *format, ...)
{
        va_list arguments;
        int used;

        if (reading->error_line)
                return 0; /* the first error is the one to mend */
        reading->error_line = reading->line;
        reading->result = result;
        used = snprintf(reading->error, CONFIG_ERROR_MAX, "%s:%d: ", reading->path, reading->line);
        if (used < 0 || used >= CONFIG_ERROR_MAX)
                return 0;
        va_start(arguments, format);
        vsnprintf(reading->error + used, (size_t)(CONFIG_ERROR_MAX - used), format, arguments);
        va_end(arguments);
        return 0; /* what inih calls a failure */
}

/* ---- pools ----------------------------------------------------------------------------------- */

static void free_pool(struct config_pool *pool)
{
        access_deinit(&pool->access);
        free(pool);
}

struct config_pool *config_find_pool(const struct config *config, const char *name)
{
        struct config_pool *pool;

        STAILQ_FOREACH (pool, &config->pools, link)
                if (strcmp(pool->name, name) == 0)
                        return pool;
        return NULL;
}

/* NULL when out of memory. */
static struct config_pool *add_pool(struct config *config, const char *name)
{
        struct config_pool *pool = calloc(1, sizeof(*pool));

        if (!pool)
                return NULL;
        strcpy(pool->name, name);
        pool->options.name = pool->name;
        pool->limits = limits_none;
        STAILQ_INSERT_TAIL(&config->pools, pool, link);
        return pool;
}

static bool is_pool_name(const char *name)
{
        if (!isalnum((unsigned char)name[0]))
                return false;
        for (; *name; name++)
                if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
                        return false;
        return true;
}

static int begin_pool(struct reading *reading, const char *name)
{
        if (!is_pool_name(name))
                return fail(reading, -EINVAL,
                        "'%s' is no name for a pool: use letters, digits, '.', '_' and '-'", name);
        reading->pool = config_find_pool(reading->config, name);
        if (!reading->pool)
                reading->pool = add_pool(reading->config, name);
        if (!reading->pool)
                return fail(reading, -ENOMEM, "out of memory");
        reading->section = SECTION_POOL;
        return 1;
}

/* ---- sections and keys ----------------------------------------------------------------------- */

static int begin_section(struct reading *reading)
{
        const char *name = reading->section_name;

        reading->section = SECTION_NONE;
        reading->pool = NULL;
        if (strncmp(name, "pool ", 5) == 0)
                return begin_pool(reading, name + 5 + strspn(name + 5, " "));
        if (strcmp(name, "daemon") == 0) {
                reading->section = SECTION_DAEMON;
        } else if (strcmp(name, "limits") == 0) {
                reading->section = SECTION_LIMITS;
        } else if (strcmp(name, "private") == 0) {
                reading->section = SECTION_PRIVATE;
                reading->pool = &reading->config->private_pools;
        } else {
                return fail(reading, -EINVAL, "unknown section [%s]", name);
        }
        return 1;
}

static int set_key(struct reading *reading, const struct key *key, const char *value)
{
        uint64_t *seen = reading->pool ? &reading->pool->seen : &reading->seen;
        void *object = reading->pool ? (void *)reading->pool : (void *)reading->config;
        uint64_t bit = UINT64_C(1) << (key - keys);
        char error[CONFIG_VALUE_ERROR_MAX];
        int r;

        if (*seen & bit)
                return fail(reading, -EINVAL, "key '%s' is given twice", key->name);
        *seen |= bit;
        r = key->parse(value, key->argument, (char *)object + key->offset, error);
        return r < 0 ? fail(reading, r, "%s: %s", key->name, error) : 1;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
        struct reading *reading = user;

        if (!section[0])
                return fail(reading, -EINVAL, "key '%s' stands before the first section", name);
        for (size_t i = 0; i < KEYS; i++)
                if (keys[i].sections & reading->section && strcmp(keys[i].name, name) == 0)
                        return set_key(reading, &keys[i], value);
        return fail(reading, -EINVAL, "unknown key '%s' in [%s]", name, reading->section_name);
}

/* inih tells of keys only: a section is looked at here, so that one without any counts too. */
static void check_section(struct reading *reading, const char *line)
{
        const char *start = line + strspn(line, " \t"), *end = strchr(start, ']');
        size_t length;

        if (*start != '[' || !end)
                return;
        length = (size_t)(end - ++start);
        if (length > SECTION_NAME_MAX) {
                fail(reading, -EINVAL, "the name of the section is longer than %d bytes",
                        SECTION_NAME_MAX);
                return;
        }
        memcpy(reading->section_name, start, length);
        reading->section_name[length] = 0;
        begin_section(reading);
}

/* ---- a file ---------------------------------------------------------------------------------- */

/* inih's way to get a line: counts them, and refuses one that inih would silently cut in two. */
static char *read_line(char *buffer, int size, void *stream)
{
        struct reading *reading = stream;
        char *line = fgets(buffer, size, reading->stream);

        if (!line) {
                if (ferror(reading->stream)) {
                        reading->error_line = reading->line + 1;
                        reading->result = -errno;
                        snprintf(reading->error, CONFIG_ERROR_MAX, "%s: cannot read it: %s",
                                reading->path, strerror(errno));
                }
                return NULL;
        }
        reading->line++;
        if (strlen(line) + 1 == (size_t)size && !strchr(line, '\n')) {
                fail(reading, -EINVAL, "line is too long");
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
                fail(reading, -ENOMEM, "out of memory");
        } else if (line > 0 && (!reading->error_line || line < reading->error_line)) {
                reading->error_line = 0;
                reading->line = line;
                fail(reading, -EINVAL, "neither a [section] nor a 'key = value'");
        }
        return reading->result;
}

/* Reads a file over what `config` says. */
static int read_file(struct config *config, const char *path, char *error)
{
        struct reading reading = {.path = path, .error = error, .config = config};
        struct config_pool *pool;
        int r;

        reading.stream = fopen(path, "re");
        if (!reading.stream) {
                r = -errno;
                snprintf(error, CONFIG_ERROR_MAX, "%s: cannot read it: %s", path, strerror(-r));
                return r;
        }
        config->private_pools.seen = 0;
        STAILQ_FOREACH (pool, &config->pools, link)
                pool->seen = 0;
        r = parse_file(&reading);
        fclose(reading.stream);
        return r;
}

/* ---- all files ------------------------------------------------------------------------------- */

static int is_part(const struct dirent *entry)
{
        size_t length = strlen(entry->d_name);

        return entry->d_name[0] != '.' && length > 5 &&
               strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_part(struct config *config, const char *folder, const char *name, char *error)
{
        cleanup_(freep) char *path = NULL;

        if (asprintf(&path, "%s/%s", folder, name) < 0) {
                path = NULL;
                snprintf(error, CONFIG_ERROR_MAX, "%s: out of memory", folder);
                return -ENOMEM;
        }
        return read_file(config, path, error);
}

static int read_parts(struct config *config, const char *folder, char *error)
{
        struct dirent **entries;
        int count = scandir(folder, &entries, is_part, by_name), r = 0;

        if (count < 0 && errno == ENOENT)
                return 0;
        if (count < 0) {
                r = -errno;
                snprintf(error, CONFIG_ERROR_MAX, "%s: cannot read it: %s", folder, strerror(-r));
                return r;
        }
        for (int i = 0; i < count; i++) {
                if (r == 0)
                        r = read_part(config, folder, entries[i]->d_name, error);
                free(entries[i]);
        }
        free(entries);
        return r;
}

static int read_all(struct config *config, const char *path, char *error)
{
        const char *file = path ? path : CONFIG_DEFAULT_PATH;
        cleanup_(freep) char *folder = NULL;
        struct config_pool *first = add_pool(config, "default");

        if (!first || asprintf(&folder, "%s.d", file) < 0) {
                folder = NULL;
                snprintf(error, CONFIG_ERROR_MAX, "%s: out of memory", file);
                return -ENOMEM;
        }
        first->access.join.everybody = true;
        if (path || access(file, F_OK) == 0) {
                int r = read_file(config, file, error);

                if (r < 0)
                        return r;
        }
        return read_parts(config, folder, error);
}

int config_load(const char *path, struct config *ret, char error[CONFIG_ERROR_MAX])
{
        struct config config = {
                .socket_mode = 0660,
                .log_level = LOG_LEVEL_INFO,
                .accounting = ACCOUNTING_BEST,
                .when_store_is_full = CONFIG_CONTINUE,
                .admin_group = CONFIG_NO_GROUP,
                .busy_poll = 50 * NSEC_PER_USEC,
                .private_pools = {.options.name = "",
                        .limits = limits_none,
                        .access.join.everybody = true},
                .limits = limits_defaults,
        };
        int r;

        STAILQ_INIT(&config.pools);
        r = read_all(&config, path, error);
        if (r < 0) {
                config_deinit(&config);
                return r;
        }
        *ret = config; /* the list of pools is never empty, so it has no pointer to its head */
        return 0;
}

void config_deinit(struct config *config)
{
        struct config_pool *pool;

        free(config->socket);
        while ((pool = STAILQ_FIRST(&config->pools))) {
                config->pools.stqh_first = STAILQ_NEXT(pool, link);
                free_pool(pool);
        }
        access_deinit(&config->private_pools.access);
        config->socket = NULL;
}
