// SPDX-License-Identifier: Apache-2.0
#include "server/views.h"

#include "server/session.h"
#include "server/state.h"

#include <filemem/statistics.h>
#include <string.h>
#include <unistd.h>

/* What one turn writes at the most, of all views together. */
#define TURN_SESSIONS 512
#define TURN_POOLS    128

/* Users are gone through as a whole, which may be many: not in every turn. */
#define USERS_INTERVAL NSEC_PER_SEC

_Static_assert(
        (int)FILEMEM_KINDS == (int)KIND_COUNT && KIND_COUNT <= FILEMEM_STATISTICS_KINDS, "kinds");
_Static_assert(FILEMEM_STATISTICS_BUCKETS == HISTOGRAM_BUCKETS, "buckets");
_Static_assert((int)SERVED_DESTROYED == (int)FILEMEM_POOL_DESTROYED, "states");
_Static_assert(REQUEST_TIMES_MAX + 2 <= VIEW_DURATIONS, "a place for each");

void publish_plan(bool all, struct page_plan plan[PAGE_SECTION_COUNT])
{
        plan[PAGE_TOTALS] = (struct page_plan){sizeof(struct filemem_statistics_totals), 1};
        plan[PAGE_POOLS] = (struct page_plan){sizeof(struct filemem_statistics_pool), VIEW_POOLS};
        plan[PAGE_SESSIONS] = (struct page_plan){sizeof(struct filemem_statistics_session),
                all ? VIEW_SESSIONS_ALL : VIEW_SESSIONS_USER};
        plan[PAGE_USERS] =
                (struct page_plan){sizeof(struct filemem_statistics_user), all ? VIEW_USERS : 0};
        plan[PAGE_DURATIONS] =
                (struct page_plan){sizeof(struct filemem_statistics_durations), VIEW_DURATIONS};
        plan[PAGE_REFUSALS] =
                (struct page_plan){sizeof(struct filemem_statistics_refusal), OUTCOME_COUNT};
}

static void write_record(
        struct view *view, enum page_section_id section, size_t place, const void *record)
{
        if (place < view->page->sections[section].capacity)
                page_write(view->page, section, place, record);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static bool sees_session(const struct view *view, const struct session *session)
{
        return view->all || identity_is_same(view->identity.uid, session->uid) ||
               (session->served && served_is_admin(session->served, &view->identity));
}

static void describe_session(const struct session *session, struct filemem_statistics_session *ret)
{
        const struct session_statistics *statistics = &session->statistics;

        *ret = (struct filemem_statistics_session){
                .id = session->id,
                .pid = (uint64_t)session->pid,
                .uid = session->uid,
                .gid = session->gid,
                .parent = session->parent,
                .pool = session->served ? session->served->id : 0,
                .read_only = session->read_only,
                .opened_at = session->opened_at,
                .active_at = statistics->active_at,
                .held = session->charge.amounts[LIMIT_BYTES],
                .ranges = session->charge.amounts[LIMIT_RANGES],
                .requests = session->requests,
                .operations = statistics->operations,
                .refusals = statistics->refusals,
                .allocations = statistics->allocations,
                .allocated_bytes = statistics->allocated_bytes,
                .releases = statistics->releases,
                .released_bytes = statistics->released_bytes,
                .unread = session->charge.amounts[LIMIT_REPLIES],
                .waits = session->parked || session->waiter.account,
        };
        strcpy(ret->label, session->label);
        if (session->served)
                strcpy(ret->pool_name, served_name(session->served));
}

/* `only`: for this view alone; NULL: for all. */
static void publish_session(struct server *server, struct view *only, size_t place)
{
        const struct session *session = server->views.sessions.items[place];
        struct filemem_statistics_session record;
        struct view *view;
        bool listed;

        listed = session && (session->greeted || session->holder) && !session->ended;
        if (listed)
                describe_session(session, &record);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        write_record(view, PAGE_SESSIONS, place,
                                listed && sees_session(view, session) ? &record : NULL);
}

/* ---- pools ----------------------------------------------------------------------------------- */

static bool sees_pool(const struct view *view, const struct served *served)
{
        return view->all || served_may_ask(served, &view->identity) ||
               (served->is_private && identity_is_same(view->identity.uid, served->uid));
}

static void describe_usage(const struct pool_usage *usage, struct filemem_statistics_pool *ret)
{
        for (int kind = 0; kind < KIND_COUNT; kind++) {
                ret->allocated[kind] = usage->allocated[kind];
                ret->committed[kind] = usage->committed[kind];
        }
        ret->reclaimable = usage->reclaimable;
        ret->reclaimable_committed = usage->reclaimable_committed;
        ret->stray = usage->stray;
        ret->stored = usage->total;
        ret->swapped = usage->swapped;
        ret->scanned_at = usage->scanned_at;
        ret->exact = usage->exact;
}

static void describe_pool(const struct served *served, struct filemem_statistics_pool *ret)
{
        struct pool_information pool;
        struct pool_usage usage;

        pool_information(served->pool, &pool);
        pool_usage(served->pool, &usage);
        *ret = (struct filemem_statistics_pool){
                .id = served->id,
                .state = served->state,
                .private_pool = served->is_private,
                .uid = served->is_private ? served->uid : 0,
                .capacity = pool.capacity,
                .size = pool.size,
                .entries = pool.entries,
                .sessions = served->sessions,
                .metadata = pool.metadata,
                .largest_gap = pool.largest_gap,
                .limit = served->account->set->maximum[LIMIT_COMMITTED],
        };
        strcpy(ret->name, pool.name);
        describe_usage(&usage, ret);
        /* Where the kernel does not say, what it said last stays. */
        (void)pool_stored(served->pool, &ret->stored);
}

static void add_pool(struct view_pools *sum, const struct filemem_statistics_pool *pool)
{
        sum->capacity += pool->capacity;
        sum->size += pool->size;
        for (int kind = 0; kind < KIND_COUNT; kind++) {
                sum->allocated[kind] += pool->allocated[kind];
                sum->committed[kind] += pool->committed[kind];
        }
        sum->reclaimable += pool->reclaimable;
        sum->reclaimable_committed += pool->reclaimable_committed;
        sum->stray += pool->stray;
        sum->stored += pool->stored;
        sum->swapped += pool->swapped;
        sum->entries += pool->entries;
        sum->metadata += pool->metadata;
}

static void publish_pool(
        struct server *server, struct view *only, size_t place, struct view_pools *sum)
{
        const struct served *served = server->pools.places.items[place];
        struct filemem_statistics_pool record;
        struct view *view;

        if (served) {
                describe_pool(served, &record);
                add_pool(sum, &record);
        }
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        write_record(view, PAGE_POOLS, place,
                                served && sees_pool(view, served) ? &record : NULL);
}

/* ---- users ----------------------------------------------------------------------------------- */

static void add_user(const struct limits_account *account, struct filemem_statistics_user *record)
{
        record->sessions += account->used[LIMIT_SESSIONS];
        record->held += account->used[LIMIT_BYTES];
        record->ranges += account->used[LIMIT_RANGES];
        record->peers += account->used[LIMIT_PEERS];
        record->unread += account->used[LIMIT_REPLIES];
}

/* The place of a user, or a free one that is its own now, or that of all others. */
static size_t find_user(struct views *views, uid_t uid)
{
        size_t free = VIEW_USERS - 1;

        for (size_t i = VIEW_USERS - 1; i-- > 0;) {
                if (views->users[i] == (uint64_t)uid + 1)
                        return i;
                if (!views->users[i])
                        free = i;
        }
        if (free < VIEW_USERS - 1)
                views->users[free] = (uint64_t)uid + 1;
        return free;
}

static void gather_users(struct server *server, struct filemem_statistics_user records[VIEW_USERS])
{
        const struct limits_account *account;

        memset(records, 0, VIEW_USERS * sizeof(*records));
        for (size_t i = 0; i < LIMITS_BUCKETS; i++)
                LIST_FOREACH (account, &server->limits.users[i], link) {
                        size_t place = find_user(&server->views, account->uid);

                        add_user(account, &records[place]);
                        if (place == VIEW_USERS - 1)
                                records[place].others++;
                        else
                                records[place].uid = account->uid;
                }
        for (size_t i = 0; i < VIEW_USERS - 1; i++)
                if (!records[i].sessions)
                        server->views.users[i] = 0;
}

static void publish_users(struct server *server, struct view *only)
{
        struct filemem_statistics_user records[VIEW_USERS];
        struct view *view;

        gather_users(server, records);
        LIST_FOREACH (view, &server->views.list, link)
                for (size_t i = 0; view->all && (!only || view == only) && i < VIEW_USERS; i++)
                        write_record(view, PAGE_USERS, i, records[i].sessions ? &records[i] : NULL);
}

/* ---- what all see ---------------------------------------------------------------------------- */

static void describe_sums(const struct view_pools *sums, struct filemem_statistics_totals *ret)
{
        ret->capacity = sums->capacity;
        ret->size = sums->size;
        memcpy(ret->allocated, sums->allocated, sizeof(ret->allocated));
        memcpy(ret->committed, sums->committed, sizeof(ret->committed));
        ret->reclaimable = sums->reclaimable;
        ret->reclaimable_committed = sums->reclaimable_committed;
        ret->stray = sums->stray;
        ret->stored = sums->stored;
        ret->swapped = sums->swapped;
        ret->entries = sums->entries;
        ret->metadata = sums->metadata;
}

static void describe_server(
        const struct server *server, uint64_t now, struct filemem_statistics_totals *ret)
{
        const struct server_statistics *statistics = &server->statistics;

        *ret = (struct filemem_statistics_totals){
                .now = now,
                .interval = VIEWS_INTERVAL,
                .pid = (uint64_t)getpid(),
                .started_at = server->started_at,
                .pools = server->pools.count,
                .sessions = server->open_sessions,
                .sessions_total = statistics->sessions_total,
                .requests = statistics->requests,
                .operations = statistics->operations,
                .refusals = statistics->refusals,
                .protocol_errors = statistics->protocol_errors,
                .allocations = statistics->allocations,
                .allocated_bytes = statistics->allocated_bytes,
                .releases = statistics->releases,
                .released_bytes = statistics->released_bytes,
                .version = FILEMEM_VERSION,
                .restarts = server->survival.restarts,
        };
}

static void publish_totals(struct server *server, struct view *only, uint64_t now)
{
        struct filemem_statistics_totals record;
        struct memory_statistics memory;
        struct view *view;

        memory_statistics(server->memory, &memory);
        describe_server(server, now, &record);
        describe_sums(&server->views.sums, &record);
        record.scans = memory.scans;
        record.reclaimed = memory.reclaimed;
        record.punches = memory.punches;
        record.punch_failures = memory.punch_failures;
        strncpy(record.accounting, memory.accounting, sizeof(record.accounting) - 1);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only) {
                        record.all = view->all;
                        write_record(view, PAGE_TOTALS, 0, &record);
                }
}

/* A histogram that has not changed since is written already. */
static void publish_durations(struct server *server, struct view *only, size_t place,
        enum filemem_statistics_group group, const char *name, const struct histogram *histogram)
{
        uint64_t count = atomic_load_explicit(&histogram->count, memory_order_relaxed);
        struct filemem_statistics_durations record;
        struct view *view;

        if (!count || (!only && count == server->views.counts[place]))
                return;
        if (!only)
                server->views.counts[place] = count;
        record = (struct filemem_statistics_durations){.group = group};
        strncpy(record.name, name, sizeof(record.name) - 1);
        /* It may be added to meanwhile, on another thread: the count is that of the buckets. */
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
                record.buckets[i] =
                        atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
                record.count += record.buckets[i];
        }
        record.sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        write_record(view, PAGE_DURATIONS, place, &record);
}

static void publish_all_durations(struct server *server, struct view *only)
{
        const struct request_times *times = server->statistics.times;

        publish_durations(server, only, 0, FILEMEM_STATISTICS_RECLAIM, "reclaim",
                memory_punch_times(server->memory));
        publish_durations(server, only, 1, FILEMEM_STATISTICS_SCAN, "scan",
                memory_scan_times(server->memory));
        for (size_t i = 0; i < times->count; i++)
                publish_durations(server, only, i + 2, FILEMEM_STATISTICS_REQUEST,
                        times->list[i].name, &times->list[i].histogram);
}

static void publish_refusals(struct server *server, struct view *only)
{
        const struct server_statistics *statistics = &server->statistics;
        struct view *view;

        for (int i = 0; i < OUTCOME_COUNT; i++) {
                struct filemem_statistics_refusal record = {.count = statistics->refused[i]};

                if (!record.count)
                        continue;
                statistics_name_outcome(i, record.name, sizeof(record.name));
                LIST_FOREACH (view, &server->views.list, link)
                        if (!only || view == only)
                                write_record(view, PAGE_REFUSALS, (size_t)i, &record);
        }
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void publish_small(struct server *server, struct view *only, uint64_t now)
{
        struct view *view;

        publish_totals(server, only, now);
        publish_all_durations(server, only);
        publish_refusals(server, only);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        atomic_fetch_add_explicit(&view->page->beats, 1, memory_order_release);
}

void publish_first(struct server *server, struct view *view, uint64_t now)
{
        struct views *views = &server->views;

        views->sums = (struct view_pools){0};
        for (size_t i = 0; i < server->pools.places.allocated; i++)
                publish_pool(server, view, i, &views->sums);
        for (size_t i = 0; i < views->sessions.allocated; i++)
                publish_session(server, view, i);
        publish_users(server, view);
        publish_small(server, view, now);
}

static void publish_some_pools(struct server *server)
{
        size_t count = server->pools.places.allocated;
        struct views *views = &server->views;

        for (size_t i = 0; i < TURN_POOLS; i++) {
                if (views->next_pool >= count) {
                        views->sums = views->sum;
                        views->sum = (struct view_pools){0};
                        views->next_pool = 0;
                        return;
                }
                publish_pool(server, NULL, views->next_pool++, &views->sum);
        }
}

static void publish_some_sessions(struct server *server)
{
        struct views *views = &server->views;
        size_t most = TURN_SESSIONS / views->count;

        for (size_t i = 0; i < most && i < views->sessions.allocated; i++) {
                if (views->next_session >= views->sessions.allocated)
                        views->next_session = 0;
                publish_session(server, NULL, views->next_session++);
        }
}

void publish_turn(struct server *server, uint64_t now)
{
        publish_some_pools(server);
        publish_some_sessions(server);
        if (now - server->views.users_at >= USERS_INTERVAL) {
                server->views.users_at = now;
                publish_users(server, NULL);
        }
        publish_small(server, NULL, now);
}
