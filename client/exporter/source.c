// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NSEC_PER_SEC UINT64_C(1000000000)

/* How long the thread sleeps, unless somebody wants something. */
#define INTERVAL NSEC_PER_SEC

/* Scans and maps are done for so long after somebody looked, and not more often than that. */
#define ATTENTION    (120 * NSEC_PER_SEC)
#define SCAN_AGE_MAX (10 * NSEC_PER_SEC)
#define MAP_AGE_MIN  NSEC_PER_SEC
#define MAP_INTEREST (10 * NSEC_PER_SEC)

/* The map of a pool with a million ranges takes a second: such a one is not fetched all the time.
 */
#define MAP_SHARE 10

/* Maps that are kept at a time. */
#define MAPS_MAX 8

/* How long source_stop() waits. */
#define STOP_PATIENCE 1

struct kept_map {
        struct map_survey survey; /* if it was fetched */
        char wanted[65];          /* the pool; "": not in use */
        uint64_t asked_at;
        uint64_t fetched_at; /* 0: not yet */
        uint64_t due_at;     /* not to be fetched again before */
};

struct source {
        const char *socket;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;

        /* under the lock */
        filemem_statistics *statistics;
        double started_at;
        uint64_t restarts;
        uint64_t looked_at;
        struct kept_map maps[MAPS_MAX];
        bool stop;

        /* of the thread */
        filemem_session *session;
        uint64_t daemon_pid;
        uint64_t daemon_started_at;
};

static uint64_t get_time(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static uint64_t get_now(void)
{
        return get_time(CLOCK_MONOTONIC);
}

/* ---- the connection -------------------------------------------------------------------------- */

/* NULL is fine. */
static void publish(struct source *source, filemem_statistics *statistics)
{
        filemem_statistics *old;

        pthread_mutex_lock(&source->lock);
        old = source->statistics;
        source->statistics = statistics;
        pthread_mutex_unlock(&source->lock);
        filemem_statistics_close(old);
}

/* Another daemon than the last one? */
static void recognise(struct source *source, const struct filemem_statistics_totals *totals)
{
        uint64_t age = totals->now - totals->started_at;

        if (totals->pid == source->daemon_pid && totals->started_at == source->daemon_started_at)
                return;
        pthread_mutex_lock(&source->lock);
        source->started_at = (double)(get_time(CLOCK_REALTIME) - age) / 1e9;
        source->restarts += source->daemon_pid != 0;
        pthread_mutex_unlock(&source->lock);
        source->daemon_pid = totals->pid;
        source->daemon_started_at = totals->started_at;
}

static void open_session(struct source *source)
{
        const struct filemem_options options = {
                .size = sizeof(options), .label = "filemem-exporter", .no_pool = true};

        source->session = filemem_close(source->session);
        if (filemem_open(source->socket, &options, &source->session) < 0)
                source->session = NULL;
}

/* Returns whether the statistics are open now. */
static bool open_statistics(struct source *source)
{
        struct filemem_statistics_totals totals;
        filemem_statistics *statistics;

        if (!source->session || filemem_statistics_open(source->session, &statistics) < 0)
                return false;
        if (filemem_statistics_totals(statistics, &totals) < 0) {
                filemem_statistics_close(statistics);
                return false;
        }
        recognise(source, &totals);
        publish(source, statistics);
        return true;
}

/* Only this thread changes source->statistics, so it may look without the lock. */
static bool keep_open(struct source *source)
{
        struct filemem_statistics_totals totals;

        if (source->statistics && filemem_statistics_totals(source->statistics, &totals) == 0)
                return true;
        publish(source, NULL);
        if (open_statistics(source))
                return true;
        open_session(source);
        return open_statistics(source);
}

/* ---- what takes requests --------------------------------------------------------------------- */

/* Numbers of committed pages are as old as the last scan. */
static void scan_pools(struct source *source)
{
        struct filemem_statistics_totals totals;
        struct filemem_statistics_pool pool;
        struct filemem_usage usage;
        size_t place = 0;

        if (filemem_statistics_totals(source->statistics, &totals) < 0)
                return;
        while (filemem_statistics_next_pool(source->statistics, &place, &pool) > 0)
                if (!pool.scanned_at || totals.now - pool.scanned_at > SCAN_AGE_MAX)
                        (void)filemem_update_usage_of(source->session, pool.name, &usage);
}

/* Of no pool any more. With the lock. */
static void forget_map(struct kept_map *kept)
{
        if (kept->fetched_at)
                map_survey_free(&kept->survey);
        *kept = (struct kept_map){0};
}

/* The next map that is wanted; false: none. */
static bool choose_map(struct source *source, uint64_t now, size_t *ret_place, char ret_pool[65])
{
        bool found = false;

        pthread_mutex_lock(&source->lock);
        for (size_t i = 0; i < MAPS_MAX && !found; i++) {
                struct kept_map *kept = &source->maps[i];

                if (!kept->wanted[0])
                        continue;
                if (now - kept->asked_at > MAP_INTEREST) {
                        forget_map(kept);
                } else if (now >= kept->due_at) {
                        memcpy(ret_pool, kept->wanted, sizeof(kept->wanted));
                        *ret_place = i;
                        found = true;
                }
        }
        pthread_mutex_unlock(&source->lock);
        return found;
}

/* Takes over the survey; NULL: there is none of that pool. */
static void keep_map(struct source *source, size_t place, const char *pool,
        struct map_survey *survey, uint64_t began_at)
{
        struct kept_map *kept = &source->maps[place];
        uint64_t now = get_now(), rest = MAP_SHARE * (now - began_at);

        pthread_mutex_lock(&source->lock);
        if (strcmp(kept->wanted, pool) != 0) { /* meanwhile somebody wants another one there */
                if (survey)
                        map_survey_free(survey);
        } else if (!survey) {
                forget_map(kept);
        } else {
                if (kept->fetched_at)
                        map_survey_free(&kept->survey);
                kept->survey = *survey;
                kept->fetched_at = now;
                kept->due_at = now + (rest > MAP_AGE_MIN ? rest : MAP_AGE_MIN);
        }
        pthread_mutex_unlock(&source->lock);
}

static void fetch_maps(struct source *source)
{
        char pool[65];
        size_t place;

        while (choose_map(source, get_now(), &place, pool)) {
                const struct map_request request = {
                        .pool = pool, .known = true, .cells = SOURCE_CELLS};
                uint64_t began_at = get_now();
                struct map_survey survey;
                int r = map_survey_make(source->session, &request, &survey);

                keep_map(source, place, pool, r < 0 ? NULL : &survey, began_at);
        }
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Returns false at the end. *ret_attended: whether somebody looks. */
static bool rest(struct source *source, bool *ret_attended)
{
        uint64_t until = get_now() + INTERVAL;
        const struct timespec deadline = {
                .tv_sec = (time_t)(until / NSEC_PER_SEC), .tv_nsec = (long)(until % NSEC_PER_SEC)};
        bool stop;

        pthread_mutex_lock(&source->lock);
        if (!source->stop)
                pthread_cond_timedwait(&source->wake, &source->lock, &deadline);
        stop = source->stop;
        *ret_attended = source->looked_at && get_now() - source->looked_at < ATTENTION;
        pthread_mutex_unlock(&source->lock);
        return !stop;
}

static void *run(void *argument)
{
        struct source *source = argument;
        bool attended = false;

        do {
                if (keep_open(source) && attended) {
                        scan_pools(source);
                        fetch_maps(source);
                }
        } while (rest(source, &attended));
        publish(source, NULL);
        source->session = filemem_close(source->session);
        return NULL;
}

int source_start(const char *socket, struct source **ret)
{
        struct source *source = calloc(1, sizeof(*source));
        pthread_condattr_t attributes;
        int r;

        if (!source)
                return -ENOMEM;
        source->socket = socket;
        pthread_mutex_init(&source->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&source->wake, &attributes);
        pthread_condattr_destroy(&attributes);
        r = pthread_create(&source->thread, NULL, run, source);
        if (r) {
                free(source);
                return -r;
        }
        *ret = source;
        return 0;
}

void source_stop(struct source *source)
{
        struct timespec deadline;

        pthread_mutex_lock(&source->lock);
        source->stop = true;
        pthread_cond_signal(&source->wake);
        pthread_mutex_unlock(&source->lock);
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += STOP_PATIENCE;
        if (pthread_timedjoin_np(source->thread, NULL, &deadline) != 0) {
                pthread_detach(source->thread); /* a daemon that hangs keeps nobody from ending */
                return;
        }
        for (size_t i = 0; i < MAPS_MAX; i++)
                forget_map(&source->maps[i]);
        pthread_cond_destroy(&source->wake);
        pthread_mutex_destroy(&source->lock);
        free(source);
}

/* ---- looking --------------------------------------------------------------------------------- */

const filemem_statistics *source_lock(struct source *source)
{
        struct filemem_statistics_totals totals;

        pthread_mutex_lock(&source->lock);
        source->looked_at = get_now();
        if (source->statistics && filemem_statistics_totals(source->statistics, &totals) == 0)
                return source->statistics;
        pthread_cond_signal(&source->wake);
        return NULL;
}

void source_unlock(struct source *source)
{
        pthread_mutex_unlock(&source->lock);
}

double source_started_at(const struct source *source)
{
        return source->started_at;
}

uint64_t source_restarts(const struct source *source)
{
        return source->restarts;
}

/* That of the pool, or a free one, or the one that was not asked for the longest. */
static struct kept_map *find_map(struct source *source, const char *pool)
{
        struct kept_map *oldest = &source->maps[0];

        for (size_t i = 0; i < MAPS_MAX; i++)
                if (strcmp(source->maps[i].wanted, pool) == 0)
                        return &source->maps[i];
        for (size_t i = 0; i < MAPS_MAX; i++) {
                if (!source->maps[i].wanted[0])
                        return &source->maps[i];
                if (source->maps[i].asked_at < oldest->asked_at)
                        oldest = &source->maps[i];
        }
        return oldest;
}

const struct map_survey *source_lock_map(struct source *source, const char *pool)
{
        struct kept_map *kept;

        pthread_mutex_lock(&source->lock);
        if (!pool[0] || strlen(pool) >= sizeof(kept->wanted))
                return NULL;
        source->looked_at = get_now();
        kept = find_map(source, pool);
        if (strcmp(kept->wanted, pool) != 0) {
                forget_map(kept);
                strcpy(kept->wanted, pool);
        }
        kept->asked_at = source->looked_at;
        if (kept->fetched_at)
                return &kept->survey;
        pthread_cond_signal(&source->wake);
        return NULL;
}
