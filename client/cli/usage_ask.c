// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "options.h"
#include "session_list.h"
#include "usage.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 512

/* ---- pools ----------------------------------------------------------------------------------- */

/* How old and exact the worst of it is. */
static void note_age(struct usage *usage, const struct filemem_usage *pool)
{
        if (pool->age_ns > usage->age_ns)
                usage->age_ns = pool->age_ns;
        usage->exact &= pool->exact;
}

static uint64_t sum(const uint64_t *kinds)
{
        uint64_t bytes = 0;

        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                bytes += kinds[kind];
        return bytes;
}

static void fill_pool(
        struct usage_row *row, const struct filemem_usage *usage, const struct filemem_pool *pool)
{
        usage_set(row, USAGE_ALLOCATED, sum(usage->allocated));
        usage_set(row, USAGE_COMMITTED, usage->total);
        usage_set(row, USAGE_SWAPPED, usage->swapped);
        usage_set(row, USAGE_RECLAIMABLE, usage->reclaimable);
        usage_set(row, USAGE_STRAY, usage->stray);
        usage_set(row, USAGE_LEASED, pool->leased);
}

static int ask_pool(
        filemem_session *session, const char *name, bool known, struct filemem_usage *ret)
{
        return known ? filemem_usage_of(session, name, ret)
                     : filemem_update_usage_of(session, name, ret);
}

static int add_pool(
        filemem_session *session, const struct filemem_pool *pool, bool known, struct usage *usage)
{
        struct filemem_usage of_pool;
        struct usage_row *row;
        int r = ask_pool(session, pool->name, known, &of_pool);

        if (r < 0)
                return r == -ENOENT ? 0 : r; /* it ended meanwhile */
        row = usage_add(usage);
        if (!row)
                return -ENOMEM;
        strcpy(row->group, pool->name);
        strcpy(row->pool, pool->name);
        fill_pool(row, &of_pool, pool);
        note_age(usage, &of_pool);
        return 0;
}

/* A row for each pool, or for the one that is named. */
static int add_pools(filemem_session *session, const char *name, bool known, struct usage *usage)
{
        struct filemem_pool pools[64];
        uint64_t after = 0;
        int count, r = 0;

        if (name) {
                r = filemem_pool_info_of(session, name, pools);
                return r < 0 ? r : add_pool(session, pools, known, usage);
        }
        while ((count = filemem_pools(session, after, pools, 64)) > 0) {
                for (int i = 0; r == 0 && i < count; i++)
                        r = add_pool(session, &pools[i], known, usage);
                if (r < 0)
                        return r;
                after = pools[count - 1].id;
        }
        return count;
}

/* The last row, of those of the pools, which may be the others of the same. */
static int add_total(struct usage *usage, const struct usage *pools)
{
        size_t count = pools->count;
        struct usage_row *row = usage_add(usage);

        if (!row)
                return -ENOMEM;
        strcpy(row->group, "total");
        row->total = true;
        for (size_t i = 0; i < count; i++)
                for (int value = 0; value < USAGE_VALUES; value++)
                        if (pools->rows[i].known[value])
                                usage_set(row, (enum usage_value)value,
                                        row->values[value] + pools->rows[i].values[value]);
        if (count == 1)
                strcpy(row->pool, pools->rows[0].pool);
        return 0;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static struct usage_row *add_kind(struct usage *usage, const char *kind, const char *pool)
{
        struct usage_row *row = usage_add(usage);

        if (row) {
                strcpy(row->group, kind);
                strcpy(row->pool, pool);
        }
        return row;
}

static int add_special(struct usage *usage, const struct filemem_usage *of, const char *pool)
{
        struct usage_row *row = add_kind(usage, "reclaimable", pool);

        if (!row)
                return -ENOMEM;
        usage_set(row, USAGE_ALLOCATED, of->reclaimable);
        usage_set(row, USAGE_COMMITTED, of->reclaimable_committed);
        row = add_kind(usage, "stray", pool);
        if (!row)
                return -ENOMEM;
        usage_set(row, USAGE_COMMITTED, of->stray);
        return 0;
}

/* The total of a pool by kind has what is reclaimable in it, as a row of its own has it. */
static int ask_kinds(filemem_session *session, const char *name, bool known, struct usage *usage)
{
        struct filemem_usage of;
        struct filemem_pool pool;
        struct usage_row *row;
        int r = ask_pool(session, name, known, &of);

        if (r == 0)
                r = filemem_pool_info_of(session, name, &pool);
        if (r < 0)
                return r;
        note_age(usage, &of);
        for (int kind = 0; kind < FILEMEM_KINDS; kind++) {
                row = add_kind(usage, filemem_kind_name((enum filemem_kind)kind), name);
                if (!row)
                        return -ENOMEM;
                usage_set(row, USAGE_ALLOCATED, of.allocated[kind]);
                usage_set(row, USAGE_COMMITTED, of.committed[kind]);
        }
        r = add_special(usage, &of, name);
        row = r < 0 ? NULL : add_kind(usage, "total", name);
        if (!row)
                return -ENOMEM;
        row->total = true;
        fill_pool(row, &of, &pool);
        usage_set(row, USAGE_ALLOCATED, sum(of.allocated) + of.reclaimable);
        return 0;
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* What is committed of all that a session holds, whoever else holds it. */
static int sum_committed(filemem_session *session, uint64_t id, uint64_t *ret)
{
        struct filemem_holding holdings[PAGE];
        uint64_t from = 0, bytes = 0;
        int count;

        while ((count = filemem_holdings(session, id, from, holdings, PAGE)) > 0) {
                for (int i = 0; i < count; i++)
                        bytes += holdings[i].committed;
                from = holdings[count - 1].range.end;
        }
        *ret = bytes;
        return count == -ENOENT ? 0 : count; /* it ended meanwhile */
}

static void name_session(struct usage_row *row, const struct filemem_session_info *info)
{
        char command[SESSION_COMMAND_MAX];

        snprintf(row->group, sizeof(row->group), "%" PRIu64, info->session);
        strcpy(row->pool, info->pool);
        if (info->label[0])
                strcpy(row->name, info->label);
        else if (session_command(info, command))
                strcpy(row->name, command);
}

static void name_row(
        struct usage_row *row, enum usage_by by, const struct filemem_session_info *info)
{
        if (by == USAGE_BY_UID)
                snprintf(row->group, sizeof(row->group), "%" PRIu32, info->uid);
        else if (by == USAGE_BY_SESSION)
                name_session(row, info);
        else
                strcpy(row->group, info->label);
}

static int add_session(
        filemem_session *session, const struct filemem_session_info *info, struct usage *usage)
{
        struct usage_row *row;
        uint64_t committed = 0;
        int r = 0;

        if (!info->pool[0])
                return 0;
        if (info->held)
                r = sum_committed(session, info->session, &committed);
        if (r < 0)
                return r;
        row = usage_add(usage);
        if (!row)
                return -ENOMEM;
        name_row(row, usage->by, info);
        usage_set(row, USAGE_ALLOCATED, info->held);
        usage_set(row, USAGE_COMMITTED, committed);
        return 0;
}

static int compare_groups(const void *a, const void *b)
{
        return usage_compare(a, b);
}

/* Makes one row of those of one group. */
static void merge_groups(struct usage *usage)
{
        size_t kept = 0;

        if (!usage->count)
                return;
        qsort(usage->rows, usage->count, sizeof(usage->rows[0]), compare_groups);
        for (size_t i = 1; i < usage->count; i++) {
                struct usage_row *row = &usage->rows[kept];
                const struct usage_row *next = &usage->rows[i];

                if (usage_compare(row, next) != 0) {
                        usage->rows[++kept] = *next;
                        continue;
                }
                row->values[USAGE_ALLOCATED] += next->values[USAGE_ALLOCATED];
                row->values[USAGE_COMMITTED] += next->values[USAGE_COMMITTED];
        }
        usage->count = kept + 1;
}

static void name_users(struct usage *usage)
{
        for (size_t i = 0; i < usage->count; i++) {
                struct usage_row *row = &usage->rows[i];
                const struct passwd *user = getpwuid((uid_t)strtoul(row->group, NULL, 10));

                if (user)
                        snprintf(row->name, sizeof(row->name), "%.71s", user->pw_name);
        }
}

/* Those that hold most first, and those that came first first. */
static int compare(const void *a, const void *b)
{
        const struct usage_row *one = a, *other = b;
        uint64_t first = one->values[USAGE_ALLOCATED], second = other->values[USAGE_ALLOCATED];

        if (first != second)
                return first < second ? 1 : -1;
        return strverscmp(one->group, other->group);
}

static int ask_sessions(filemem_session *session, const char *pool, bool known, struct usage *usage)
{
        struct session_list sessions = {0};
        struct usage pools = {.exact = true};
        int r = add_pools(session, pool, known, &pools); /* also for committed to be up to date */

        if (r == 0)
                r = session_list_ask(session, pool, &sessions);
        for (size_t i = 0; r == 0 && i < sessions.count; i++)
                r = add_session(session, &sessions.infos[i], usage);
        if (r == 0)
                merge_groups(usage);
        if (r == 0 && usage->by == USAGE_BY_UID)
                name_users(usage);
        if (r == 0 && usage->count)
                qsort(usage->rows, usage->count, sizeof(usage->rows[0]), compare);
        if (r == 0)
                r = add_total(usage, &pools);
        usage->age_ns = pools.age_ns;
        usage->exact = pools.exact;
        session_list_free(&sessions);
        usage_free(&pools);
        return r;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int ask(filemem_session *session, const char *pool, bool known, struct usage *usage)
{
        int r;

        if (usage->by == USAGE_BY_KIND)
                return ask_kinds(session, pool ? pool : DEFAULT_POOL, known, usage);
        if (usage->by != USAGE_BY_POOL)
                return ask_sessions(session, pool, known, usage);
        r = add_pools(session, pool, known, usage);
        return r < 0 ? r : add_total(usage, usage);
}

int usage_ask(
        filemem_session *session, enum usage_by by, const char *pool, bool known, struct usage *ret)
{
        struct usage usage = {.by = by, .exact = true};
        int r = ask(session, pool, known, &usage);

        if (r < 0) {
                usage_free(&usage);
                return r;
        }
        usage.at_ns = clock_real();
        *ret = usage;
        return 0;
}
