// SPDX-License-Identifier: Apache-2.0
#include "server/publish_parts.h"

#include "server/state.h"

#include <string.h>
#include <unistd.h>

_Static_assert(FILEMEM_STATISTICS_BUCKETS == HISTOGRAM_BUCKETS, "buckets");
_Static_assert(REQUEST_TIMES_MAX + 2 <= VIEW_DURATIONS, "a place for each");

static void describe_server(
        const struct server *server, uint64_t now, struct filemem_statistics_totals *ret)
{
        const struct server_statistics *statistics = &server->statistics;

        *ret = server->views.sums;
        ret->now = now;
        ret->interval = VIEWS_INTERVAL;
        ret->pid = (uint64_t)getpid();
        ret->started_at = server->started_at;
        ret->pools = server->pools.count;
        ret->sessions = server->open_sessions;
        ret->sessions_total = statistics->sessions_total;
        ret->requests = statistics->requests;
        ret->operations = statistics->operations;
        ret->refusals = statistics->refusals;
        ret->protocol_errors = statistics->protocol_errors;
        ret->allocations = statistics->allocations;
        ret->allocated_bytes = statistics->allocated_bytes;
        ret->releases = statistics->releases;
        ret->released_bytes = statistics->released_bytes;
        strncpy(ret->version, FILEMEM_VERSION, sizeof(ret->version) - 1);
        ret->restarts = server->survival.restarts;
}

static void publish_totals(struct server *server, struct view *only, uint64_t now)
{
        struct filemem_statistics_totals record;
        struct memory_statistics memory;
        struct view *view;

        memory_statistics(server->memory, &memory);
        describe_server(server, now, &record);
        record.scans = memory.scans;
        record.reclaimed = memory.reclaimed;
        record.punches = memory.punches;
        record.punch_failures = memory.punch_failures;
        strncpy(record.accounting, memory.accounting, sizeof(record.accounting) - 1);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only) {
                        record.all = view->all;
                        publish_record(view, PAGE_TOTALS, 0, &record);
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
                        publish_record(view, PAGE_DURATIONS, place, &record);
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
                                publish_record(view, PAGE_REFUSALS, (size_t)i, &record);
        }
}

void publish_small(struct server *server, struct view *only, uint64_t now)
{
        struct view *view;

        publish_totals(server, only, now);
        publish_all_durations(server, only);
        publish_refusals(server, only);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        atomic_fetch_add_explicit(&view->page->beats, 1, memory_order_release);
}
