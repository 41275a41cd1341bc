// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The page shows those that hold most, and says how many there are. */
#define SESSIONS_MAX ((size_t)200)

/* Numbers above 2^53 lose digits in a browser, and above 2^63 do not fit in here: no limit is -1.
 */
static json_t *number(uint64_t value)
{
        return json_integer(value > INT64_MAX ? -1 : (json_int_t)value);
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
        json_object_set_new(object, name, number(value));
}

/* What is no UTF-8 is none of ours. */
static void set_text(json_t *object, const char *name, const char *text)
{
        json_t *string = json_string(text);

        json_object_set_new(object, name, string ? string : json_string("?"));
}

static json_t *list_kinds(const uint64_t numbers[FILEMEM_KINDS])
{
        json_t *list = json_array();

        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                json_array_append_new(list, number(numbers[kind]));
        return list;
}

/* ---- records --------------------------------------------------------------------------------- */

/* A number of a record of the statistics, and what the page knows it by. */
struct field {
        const char *name;
        size_t offset;
};

#define FIELD(record, name, member)                                                                \
        {                                                                                          \
                name, offsetof(struct filemem_statistics_##record, member)                         \
        }

#define SET_FIELDS(object, record, fields)                                                         \
        set_fields(object, record, fields, sizeof(fields) / sizeof((fields)[0]))

static void set_fields(json_t *object, const void *record, const struct field *fields, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                uint64_t value;

                memcpy(&value, (const char *)record + fields[i].offset, sizeof(value));
                set_number(object, fields[i].name, value);
        }
}

static json_t *describe_totals(
        const struct filemem_statistics_totals *totals, const struct source *source)
{
        static const struct field fields[] = {
                FIELD(totals, "now", now),
                FIELD(totals, "all", all),
                FIELD(totals, "pid", pid),
                FIELD(totals, "pools", pools),
                FIELD(totals, "sessions", sessions),
                FIELD(totals, "requests", requests),
                FIELD(totals, "refusals", refusals),
                FIELD(totals, "allocated_total", allocated_bytes),
                FIELD(totals, "released_total", released_bytes),
                FIELD(totals, "capacity", capacity),
                FIELD(totals, "stored", stored),
                FIELD(totals, "swapped", swapped),
                FIELD(totals, "stray", stray),
                FIELD(totals, "reclaimable", reclaimable),
        };
        json_t *object = json_object();

        SET_FIELDS(object, totals, fields);
        set_text(object, "version", totals->version);
        set_number(object, "uptime", totals->now - totals->started_at);
        set_number(object, "restarts", source_restarts(source));
        set_number(object, "host",
                (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
        json_object_set_new(object, "allocated", list_kinds(totals->allocated));
        json_object_set_new(object, "committed", list_kinds(totals->committed));
        return object;
}

static json_t *describe_pool(const struct filemem_statistics_pool *pool)
{
        static const struct field fields[] = {
                FIELD(pool, "id", id),
                FIELD(pool, "state", state),
                FIELD(pool, "capacity", capacity),
                FIELD(pool, "size", size),
                FIELD(pool, "reclaimable", reclaimable),
                FIELD(pool, "stray", stray),
                FIELD(pool, "stored", stored),
                FIELD(pool, "swapped", swapped),
                FIELD(pool, "scanned_at", scanned_at),
                FIELD(pool, "entries", entries),
                FIELD(pool, "sessions", sessions),
                FIELD(pool, "largest_gap", largest_gap),
                FIELD(pool, "limit", limit),
        };
        json_t *object = json_object();

        SET_FIELDS(object, pool, fields);
        set_text(object, "name", pool->name);
        json_object_set_new(object, "allocated", list_kinds(pool->allocated));
        json_object_set_new(object, "committed", list_kinds(pool->committed));
        return object;
}

static json_t *describe_session(const struct filemem_statistics_session *session)
{
        static const struct field fields[] = {
                FIELD(session, "id", id),
                FIELD(session, "pid", pid),
                FIELD(session, "uid", uid),
                FIELD(session, "parent", parent),
                FIELD(session, "active_at", active_at),
                FIELD(session, "held", held),
                FIELD(session, "ranges", ranges),
                FIELD(session, "requests", requests),
                FIELD(session, "allocated_total", allocated_bytes),
                FIELD(session, "released_total", released_bytes),
        };
        json_t *object = json_object();

        SET_FIELDS(object, session, fields);
        set_text(object, "pool", session->pool_name);
        set_text(object, "label", session->label);
        return object;
}

static json_t *describe_durations(const struct filemem_statistics_durations *durations)
{
        json_t *object = json_object();

        set_text(object, "name", durations->name);
        set_number(object, "count", durations->count);
        set_number(object, "p50", filemem_statistics_quantile(durations, 0.5));
        set_number(object, "p99", filemem_statistics_quantile(durations, 0.99));
        set_number(object, "sum", durations->sum);
        return object;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static json_t *list_pools(const filemem_statistics *statistics)
{
        struct filemem_statistics_pool pool;
        json_t *list = json_array();
        size_t place = 0;

        while (filemem_statistics_next_pool(statistics, &place, &pool) > 0)
                json_array_append_new(list, describe_pool(&pool));
        return list;
}

static int compare(const void *a, const void *b)
{
        const struct filemem_statistics_session *first = a, *second = b;

        if (first->held != second->held)
                return first->held < second->held ? 1 : -1;
        return first->id < second->id ? -1 : first->id > second->id;
}

/* Keeps those that hold most, in a heap of their number that is sorted when it is full. */
static size_t gather_sessions(const filemem_statistics *statistics,
        struct filemem_statistics_session sessions[2 * SESSIONS_MAX])
{
        size_t place = 0, count = 0;

        while (filemem_statistics_next_session(statistics, &place, &sessions[count]) > 0) {
                if (++count < 2 * SESSIONS_MAX)
                        continue;
                qsort(sessions, count, sizeof(*sessions), compare);
                count = SESSIONS_MAX;
        }
        qsort(sessions, count, sizeof(*sessions), compare);
        return count < SESSIONS_MAX ? count : SESSIONS_MAX;
}

static json_t *list_sessions(const filemem_statistics *statistics)
{
        struct filemem_statistics_session *sessions = calloc(2 * SESSIONS_MAX, sizeof(*sessions));
        json_t *list = json_array();
        size_t count;

        if (!sessions)
                return list;
        count = gather_sessions(statistics, sessions);
        for (size_t i = 0; i < count; i++)
                json_array_append_new(list, describe_session(&sessions[i]));
        free(sessions);
        return list;
}

static json_t *list_durations(const filemem_statistics *statistics)
{
        struct filemem_statistics_durations durations;
        json_t *list = json_array();
        size_t place = 0;

        while (filemem_statistics_next_durations(statistics, &place, &durations) > 0)
                json_array_append_new(list, describe_durations(&durations));
        return list;
}

static char *finish(json_t *object)
{
        char *text = json_dumps(object, JSON_COMPACT);

        json_decref(object);
        return text;
}

char *json_statistics(struct source *source)
{
        const filemem_statistics *statistics = source_lock(source);
        struct filemem_statistics_totals totals;
        json_t *object = json_object();
        bool up = statistics && filemem_statistics_totals(statistics, &totals) == 0;

        json_object_set_new(object, "up", json_boolean(up));
        if (up) {
                json_object_set_new(object, "totals", describe_totals(&totals, source));
                json_object_set_new(object, "pools", list_pools(statistics));
                json_object_set_new(object, "sessions", list_sessions(statistics));
                json_object_set_new(object, "durations", list_durations(statistics));
        }
        source_unlock(source);
        return finish(object);
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* A cell is short, because there are many: what it is, and what of it is held, committed, stray. */
static json_t *describe_cell(const struct map_cell *cell)
{
        json_t *list = json_array();

        json_array_append_new(list, number((uint64_t)map_cell_content(cell)));
        json_array_append_new(list, number(map_cell_held(cell)));
        json_array_append_new(list, number(map_cell_committed(cell)));
        json_array_append_new(list, number(cell->freed));
        json_array_append_new(list, number(cell->stray));
        return list;
}

static json_t *describe_gaps(const struct map_gaps *gaps)
{
        json_t *object = json_object();

        set_number(object, "count", gaps->count);
        set_number(object, "bytes", gaps->bytes);
        set_number(object, "largest_fit", gaps->largest_fit);
        set_number(object, "fits_64k", gaps->fits_64k);
        set_number(object, "fits_huge", gaps->fits_huge);
        return object;
}

static json_t *list_contents(void)
{
        json_t *list = json_array();

        for (int content = 0; content < MAP_CONTENTS; content++)
                json_array_append_new(list, json_string(map_content_name(content)));
        return list;
}

static void describe_map(json_t *object, const struct map_survey *survey)
{
        json_t *cells = json_array();

        set_text(object, "pool", survey->pool.name);
        set_number(object, "start", survey->grid.range.start);
        set_number(object, "end", survey->grid.range.end);
        set_number(object, "cell_size", survey->grid.cell_size);
        json_object_set_new(object, "contents", list_contents());
        json_object_set_new(object, "gaps", describe_gaps(&survey->gaps));
        for (size_t i = 0; i < survey->grid.count; i++)
                json_array_append_new(cells, describe_cell(&survey->grid.cells[i]));
        json_object_set_new(object, "cells", cells);
}

char *json_map(struct source *source, const char *pool)
{
        const struct map_survey *survey = source_lock_map(source, pool);
        json_t *object = json_object();

        json_object_set_new(object, "ready", json_boolean(survey != NULL));
        if (survey)
                describe_map(object, survey);
        source_unlock(source);
        return finish(object);
}
