// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

#include "pools.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A number of a record, as a metric. */
struct metric {
        const char *name; /* without "_total" */
        const char *help;
        enum family_type type;
        size_t offset;
};

#define GAUGE(record, field, name, help)                                                           \
        {                                                                                          \
                name, help, FAMILY_GAUGE, offsetof(struct filemem_statistics_##record, field)      \
        }
#define COUNTER(record, field, name, help)                                                         \
        {                                                                                          \
                name, help, FAMILY_COUNTER, offsetof(struct filemem_statistics_##record, field)    \
        }

static const struct metric totals_metrics[] = {
        GAUGE(totals, pools, "filemem_pools", "Pools."),
        GAUGE(totals, sessions, "filemem_sessions", "Sessions that are open."),
        COUNTER(totals, sessions_total, "filemem_sessions_opened",
                "Sessions that were opened since the daemon started."),
        COUNTER(totals, requests, "filemem_requests", "Requests that were received."),
        COUNTER(totals, operations, "filemem_operations", "Operations in these requests."),
        COUNTER(totals, restarts, "filemem_restarts_survived",
                "Restarts of the daemon after which sessions went on."),
        COUNTER(totals, protocol_errors, "filemem_protocol_errors",
                "Sessions that were ended because they broke a rule."),
        COUNTER(totals, allocations, "filemem_allocations", "Ranges that were allocated."),
        COUNTER(totals, allocated_bytes, "filemem_allocated_bytes",
                "Bytes of ranges that were allocated."),
        COUNTER(totals, releases, "filemem_releases", "References that were given up (decref)."),
        COUNTER(totals, released_bytes, "filemem_released_bytes",
                "Bytes of references that were given up."),
        COUNTER(totals, scans, "filemem_scans", "Scans that asked the kernel for every range."),
        COUNTER(totals, punches, "filemem_punches", "Holes that were punched."),
        COUNTER(totals, punch_failures, "filemem_punch_failures",
                "Holes that the kernel refused to punch."),
        COUNTER(totals, reclaimed, "filemem_reclaimed_bytes",
                "Bytes that were given back to the kernel because nobody held them."),
};

static const struct metric pool_metrics[] = {
        GAUGE(pool, capacity, "filemem_pool_capacity_bytes", "The most that the pool can take."),
        GAUGE(pool, size, "filemem_pool_size_bytes", "Bytes of the pool's file in use so far."),
        GAUGE(pool, stored, "filemem_pool_stored_bytes",
                "Bytes that the kernel stores for the pool, in RAM or swap."),
        GAUGE(pool, swapped, "filemem_pool_swapped_bytes", "Of these in swap, at the last scan."),
        GAUGE(pool, stray, "filemem_pool_stray_bytes",
                "Of these outside every range, at the last scan."),
        GAUGE(pool, reclaimable, "filemem_pool_reclaimable_bytes",
                "Bytes freed and not yet given back to the kernel."),
        GAUGE(pool, reclaimable_committed, "filemem_pool_reclaimable_committed_bytes",
                "Of these stored by the kernel."),
        GAUGE(pool, largest_gap, "filemem_pool_largest_gap_bytes",
                "The longest allocation that would fit."),
        GAUGE(pool, entries, "filemem_pool_entries", "Entries of the pool's usage tree."),
        GAUGE(pool, sessions, "filemem_pool_sessions", "Sessions in the pool."),
        GAUGE(pool, metadata, "filemem_pool_metadata_bytes",
                "Memory of the daemon for the pool's ranges and holdings."),
};

static const struct metric user_metrics[] = {
        GAUGE(user, sessions, "filemem_user_sessions", "Sessions of a user."),
        GAUGE(user, held, "filemem_user_held_bytes",
                "Bytes of ranges that the sessions of a user hold."),
        GAUGE(user, ranges, "filemem_user_ranges", "Ranges that the sessions of a user hold."),
        GAUGE(user, peers, "filemem_user_peers", "Sessions that a user opened for others."),
        GAUGE(user, unread, "filemem_user_unread_bytes",
                "Bytes of answers that the sessions of a user do not read."),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t get(const struct metric *metric, const void *record)
{
        uint64_t value;

        memcpy(&value, (const char *)record + metric->offset, sizeof(value));
        return value;
}

/* ---- totals ---------------------------------------------------------------------------------- */

static void write_totals(struct text *text, const struct source *source,
        const struct filemem_statistics_totals *totals)
{
        char labels[TEXT_LABELS_MAX] = "";

        text_label(labels, "version", totals->version);
        text_label(labels, "accounting", totals->accounting);
        text_family(text, "filemem_daemon_info", FAMILY_GAUGE,
                "What the daemon is: its version, and how it counts committed pages.");
        text_sample(text, "filemem_daemon_info", FAMILY_GAUGE, labels, 1);
        text_family(text, "filemem_start_time_seconds", FAMILY_GAUGE,
                "When the daemon started, as Unix time.");
        text_sample_double(
                text, "filemem_start_time_seconds", FAMILY_GAUGE, "", source_started_at(source));
        text_family(text, "filemem_daemon_restarts", FAMILY_COUNTER,
                "Other daemons than the one before, since the exporter started.");
        text_sample(text, "filemem_daemon_restarts", FAMILY_COUNTER, "", source_restarts(source));
        for (size_t i = 0; i < COUNT(totals_metrics); i++) {
                const struct metric *metric = &totals_metrics[i];

                text_family(text, metric->name, metric->type, metric->help);
                text_sample(text, metric->name, metric->type, "", get(metric, totals));
        }
}

/* ---- pools ----------------------------------------------------------------------------------- */

static void label_pool(const struct filemem_statistics_pool *pool, char labels[TEXT_LABELS_MAX])
{
        labels[0] = '\0';
        text_label(labels, "pool", pool->name);
}

static void write_kinds(struct text *text, const struct pools *pools, const char *name,
        const char *help, size_t offset)
{
        char labels[TEXT_LABELS_MAX];

        text_family(text, name, FAMILY_GAUGE, help);
        for (size_t i = 0; i < pools->count; i++)
                for (int kind = 0; kind < FILEMEM_KINDS; kind++) {
                        const struct metric metric = {
                                .offset = offset + (size_t)kind * sizeof(uint64_t)};

                        label_pool(&pools->list[i], labels);
                        text_label(labels, "kind", filemem_kind_name((enum filemem_kind)kind));
                        text_sample(
                                text, name, FAMILY_GAUGE, labels, get(&metric, &pools->list[i]));
                }
}

static void write_limits(struct text *text, const struct pools *pools)
{
        static const char name[] = "filemem_pool_committed_limit_bytes";
        char labels[TEXT_LABELS_MAX];

        text_family(text, name, FAMILY_GAUGE,
                "The most that the kernel may store for the pool, where that is limited.");
        for (size_t i = 0; i < pools->count; i++) {
                label_pool(&pools->list[i], labels);
                if (pools->list[i].limit != FILEMEM_UNLIMITED)
                        text_sample(text, name, FAMILY_GAUGE, labels, pools->list[i].limit);
        }
}

static void write_ages(struct text *text, const struct pools *pools, uint64_t now)
{
        static const char name[] = "filemem_pool_scan_age_seconds";
        char labels[TEXT_LABELS_MAX];

        text_family(text, name, FAMILY_GAUGE,
                "How long ago the kernel was asked for the committed pages of every range.");
        for (size_t i = 0; i < pools->count; i++) {
                const struct filemem_statistics_pool *pool = &pools->list[i];

                label_pool(pool, labels);
                if (pool->scanned_at && pool->scanned_at <= now)
                        text_sample_double(text, name, FAMILY_GAUGE, labels,
                                text_seconds(now - pool->scanned_at));
        }
}

static void write_pools(struct text *text, const struct pools *pools, uint64_t now)
{
        char labels[TEXT_LABELS_MAX];

        write_kinds(text, pools, "filemem_pool_allocated_bytes",
                "Bytes of ranges that somebody holds.",
                offsetof(struct filemem_statistics_pool, allocated));
        write_kinds(text, pools, "filemem_pool_committed_bytes",
                "Of these stored by the kernel, in RAM or swap, as far as known.",
                offsetof(struct filemem_statistics_pool, committed));
        for (size_t i = 0; i < COUNT(pool_metrics); i++) {
                const struct metric *metric = &pool_metrics[i];

                text_family(text, metric->name, metric->type, metric->help);
                for (size_t j = 0; j < pools->count; j++) {
                        label_pool(&pools->list[j], labels);
                        text_sample(text, metric->name, metric->type, labels,
                                get(metric, &pools->list[j]));
                }
        }
        write_limits(text, pools);
        write_ages(text, pools, now);
}

/* ---- users ----------------------------------------------------------------------------------- */

#define USERS_MAX 128

/* Those that the page had at one time; a user is in one place as long as it has sessions. */
static size_t gather_users(
        const filemem_statistics *statistics, struct filemem_statistics_user users[USERS_MAX])
{
        size_t place = 0, count = 0;

        while (count < USERS_MAX &&
                filemem_statistics_next_user(statistics, &place, &users[count]) > 0)
                count++;
        return count;
}

static void write_users(struct text *text, const filemem_statistics *statistics)
{
        struct filemem_statistics_user users[USERS_MAX];
        size_t count = gather_users(statistics, users);

        for (size_t i = 0; count && i < COUNT(user_metrics); i++) {
                const struct metric *metric = &user_metrics[i];

                text_family(text, metric->name, metric->type, metric->help);
                for (size_t j = 0; j < count; j++) {
                        char labels[TEXT_LABELS_MAX] = "";

                        if (users[j].others)
                                text_label(labels, "uid", "others");
                        else
                                text_label_number(labels, "uid", users[j].uid);
                        text_sample(
                                text, metric->name, metric->type, labels, get(metric, &users[j]));
                }
        }
}

/* ---- durations ------------------------------------------------------------------------------- */

/* Of the daemon's buckets those between powers of two, from a microsecond to a quarter of a minute.
 */
#define BUCKET_FIRST 11
#define BUCKET_STEP  4
#define BUCKET_LAST  107

static void write_histogram(struct text *text, const char *name,
        const struct filemem_statistics_durations *durations, const char *labels)
{
        char own[TEXT_LABELS_MAX], full[96], le[32];
        uint64_t below = 0;
        size_t next = 0;

        snprintf(full, sizeof(full), "%s_bucket", name);
        for (size_t i = BUCKET_FIRST; i <= BUCKET_LAST; i += BUCKET_STEP) {
                for (; next <= i; next++)
                        below += durations->buckets[next];
                strcpy(own, labels);
                snprintf(le, sizeof(le), "%.9g", text_seconds(filemem_statistics_bucket_limit(i)));
                text_label(own, "le", le);
                text_sample(text, full, FAMILY_HISTOGRAM, own, below);
        }
        strcpy(own, labels);
        text_label(own, "le", "+Inf");
        text_sample(text, full, FAMILY_HISTOGRAM, own, durations->count);
        snprintf(full, sizeof(full), "%s_sum", name);
        text_sample_double(text, full, FAMILY_HISTOGRAM, labels, text_seconds(durations->sum));
        snprintf(full, sizeof(full), "%s_count", name);
        text_sample(text, full, FAMILY_HISTOGRAM, labels, durations->count);
}

static void write_group(struct text *text, const filemem_statistics *statistics,
        enum filemem_statistics_group group, const char *name, const char *help)
{
        struct filemem_statistics_durations durations;
        size_t place = 0;

        text_family(text, name, FAMILY_HISTOGRAM, help);
        while (filemem_statistics_next_durations(statistics, &place, &durations) > 0) {
                char labels[TEXT_LABELS_MAX] = "";

                if (durations.group != group)
                        continue;
                if (group == FILEMEM_STATISTICS_REQUEST)
                        text_label(labels, "operation", durations.name);
                write_histogram(text, name, &durations, labels);
        }
}

static void write_durations(struct text *text, const filemem_statistics *statistics)
{
        write_group(text, statistics, FILEMEM_STATISTICS_REQUEST,
                "filemem_request_duration_seconds",
                "From the time when a request was read to its answer, by its operation; batch: it "
                "had several.");
        write_group(text, statistics, FILEMEM_STATISTICS_RECLAIM,
                "filemem_reclaim_duration_seconds", "How long it took to punch a hole.");
        write_group(text, statistics, FILEMEM_STATISTICS_SCAN, "filemem_scan_duration_seconds",
                "How long it took to ask the kernel for every range of a pool.");
}

static void write_refusals(struct text *text, const filemem_statistics *statistics)
{
        static const char name[] = "filemem_refusals";
        struct filemem_statistics_refusal refusal;
        size_t place = 0;

        text_family(text, name, FAMILY_COUNTER,
                "Operations, requests and sessions that were refused, by reason.");
        while (filemem_statistics_next_refusal(statistics, &place, &refusal) > 0) {
                char labels[TEXT_LABELS_MAX] = "";

                text_label(labels, "reason", refusal.name);
                text_sample(text, name, FAMILY_COUNTER, labels, refusal.count);
        }
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Returns false if the daemon went away before. */
static bool write_all(
        struct text *text, const struct source *source, const filemem_statistics *statistics)
{
        struct filemem_statistics_totals totals;
        struct pools pools;

        if (!statistics || filemem_statistics_totals(statistics, &totals) < 0 ||
                pools_gather(statistics, &pools) < 0)
                return false;
        write_totals(text, source, &totals);
        write_pools(text, &pools, totals.now);
        write_users(text, statistics);
        write_durations(text, statistics);
        write_refusals(text, statistics);
        return true;
}

void metrics_write(struct text *text, struct source *source)
{
        bool up = write_all(text, source, source_lock(source));

        source_unlock(source);
        text_family(text, "filemem_up", FAMILY_GAUGE, "Whether the daemon answers.");
        text_sample(text, "filemem_up", FAMILY_GAUGE, "", up);
        if (text->open_metrics)
                evbuffer_add_printf(text->buffer, "# EOF\n");
}
