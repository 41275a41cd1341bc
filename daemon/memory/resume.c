// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "memory/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Holdings by the ten million; sparse, so that it costs only what is written. */
#define JOURNAL_AREA_SIZE (UINT64_C(1) << 30)

static struct journal_format get_format(const char *name)
{
        return (struct journal_format){
                .name = name,
                .version = RECORD_VERSION,
                .record_size = sizeof(struct record),
                .area_size = JOURNAL_AREA_SIZE,
        };
}

static struct recorder *recorder_new(void)
{
        struct recorder *recorder = calloc(1, sizeof(*recorder));

        if (!recorder)
                return NULL;
        recorder->limit = RECORD_COPY_EVERY;
        recorder->piece = RECORD_COPY_PIECE;
        return recorder;
}

/* ---- a new one --------------------------------------------------------------------------------
 */

int pool_keep_journal(struct pool *pool)
{
        const struct journal_format format = get_format("filemem:journal");
        struct recorder *recorder = recorder_new();
        int r;

        check(LIST_EMPTY(&pool->holders) && !pool->recorder);
        if (!recorder)
                return -ENOMEM;
        r = journal_create(&recorder->journal, &format);
        if (r < 0) {
                free(recorder);
                return r;
        }
        pool->recorder = recorder;
        return 0;
}

struct recorder *recorder_free(struct recorder *recorder)
{
        if (!recorder)
                return NULL;
        journal_close(&recorder->journal);
        free(recorder->index);
        free(recorder->slots);
        free(recorder);
        return NULL;
}

int pool_store_fd(const struct pool *pool)
{
        return pool->file.fd;
}

int pool_journal_fd(const struct pool *pool)
{
        return pool->recorder ? pool->recorder->journal.fd : -1;
}

bool pool_is_damaged(const struct pool *pool)
{
        return pool->damaged;
}

void pool_stop_journal(struct pool *pool)
{
        LOCK_SCOPE(&pool->lock);

        if (pool->recorder)
                pool->recorder->stopped = true;
}

/* ---- one that was kept ------------------------------------------------------------------------
 */

/* Returns 0, or -ENOMEM; what is wrong with the journal makes the pool a damaged one. */
static int read_records(struct replay *replay, const char **ret_why)
{
        struct pool *pool = replay->pool;
        const struct journal *journal = &pool->recorder->journal;
        struct record record;
        uint64_t index = 0;
        int r;

        while ((r = journal_read(journal, index, &record)) > 0) {
                r = replay_apply(replay, &record);
                if (r == -EBADMSG)
                        *ret_why = "a record contradicts those before";
                if (r < 0)
                        break;
                index++;
        }
        if (r == -EBADMSG && !*ret_why)
                *ret_why = journal_has_failed(journal) ? "there was no memory for all of it"
                                                       : "a checksum or the count is wrong";
        if (r < 0 && r != -EBADMSG)
                return r;
        if (r == 0 && journal_is_current(journal))
                journal_continue(&pool->recorder->journal, index);
        return 0;
}

/* Of a pool whose records do not fit together, nothing is held and nothing is free. */
static void forget_holdings(struct replay *replay)
{
        const struct recorder *recorder = replay->pool->recorder;

        for (uint32_t slot = 0; slot < recorder->slot_room; slot++)
                if (recorder->slots[slot])
                        usage_tree_clear(&recorder->slots[slot]->holdings);
        usage_tree_clear(&replay->pool->tree);
        replay->pool->sole = NULL;
}

static int compare_sessions(const void *a, const void *b)
{
        const struct holder *x = *(struct holder *const *)a, *y = *(struct holder *const *)b;

        return (x->results.session > y->results.session) -
               (x->results.session < y->results.session);
}

static int make_index(struct recorder *recorder)
{
        recorder->index = malloc((recorder->slot_room + 1) * sizeof(struct holder *));
        if (!recorder->index)
                return -ENOMEM;
        for (uint32_t slot = 0; slot < recorder->slot_room; slot++)
                if (recorder->slots[slot])
                        recorder->index[recorder->index_count++] = recorder->slots[slot];
        qsort(recorder->index, recorder->index_count, sizeof(struct holder *), compare_sessions);
        return 0;
}

static int replay_all(struct pool *pool)
{
        struct replay replay = {.pool = pool};
        const char *why = NULL;
        int r;

        usage_tree_init(&replay.kept, &pool->nodes, pool->tree.capacity, 1);
        r = read_records(&replay, &why);
        if (r == 0) {
                r = replay_merge(&replay);
                if (r == -EBADMSG) {
                        why = "what is held is not what was given";
                        forget_holdings(&replay);
                        r = 0;
                }
        }
        usage_tree_clear(&replay.kept);
        usage_nodes_trim(&pool->nodes);
        if (why) {
                pool->damaged = true;
                log_event(LOG_JOURNAL_DAMAGED, log_of_pool(pool->name),
                        "pool %s: its journal is damaged (%s): its memory is kept as it is, and "
                        "nothing more is allocated in it; destroy it when nobody needs it",
                        pool->name, why);
        }
        if (r == 0)
                r = make_index(pool->recorder);
        /* A journal of an older version, or one that cannot be continued. */
        if (r == 0 && (pool->damaged || !journal_is_current(&pool->recorder->journal)))
                r = copy_all(pool);
        return r == 0 ? journal_clear(&pool->recorder->journal) : r;
}

static int open_journal(struct pool *pool, int fd)
{
        const struct journal_format format = get_format(pool->name);
        struct recorder *recorder = recorder_new();
        int r;

        if (!recorder)
                return -ENOMEM;
        r = journal_open(&recorder->journal, &format, fd);
        if (r == -EBADMSG) {
                pool->damaged = true;
                log_event(LOG_JOURNAL_DAMAGED, log_of_pool(pool->name),
                        "pool %s: its journal cannot be read at all: its memory is kept as it "
                        "is, and nothing more is allocated in it",
                        pool->name);
                r = journal_format(&recorder->journal, &format, fd);
        }
        if (r < 0) {
                free(recorder);
                return r;
        }
        pool->recorder = recorder;
        return 0;
}

/* The descriptors stay the caller's. */
static void abandon(struct pool *pool)
{
        struct recorder *recorder = pool->recorder;

        for (uint32_t slot = 0; recorder && slot < recorder->slot_room; slot++)
                if (recorder->slots[slot]) {
                        usage_tree_clear(&recorder->slots[slot]->holdings);
                        holder_discard(recorder->slots[slot]);
                }
        if (recorder)
                recorder->journal.fd = -1;
        pool->file.fd = -1;
        pool->sole = NULL;
        pool->retired = true; /* the threads do not know it */
        pool_free(pool);
}

int pool_resume(struct memory *memory, const struct pool_options *options, int fd, int journal_fd,
        struct pool **ret)
{
        struct memfile file = MEMFILE_NONE;
        struct pool *pool;
        int r = memfile_adopt(&file, fd, options->capacity);

        if (r < 0)
                return r;
        r = pool_make(memory, options, &file, &pool);
        if (r < 0) {
                file.fd = -1;
                memfile_close(&file);
                return r;
        }
        r = open_journal(pool, journal_fd);
        if (r == 0)
                r = replay_all(pool);
        if (r < 0) {
                abandon(pool);
                return r;
        }
        *ret = pool;
        return 0;
}

/* ---- claims -----------------------------------------------------------------------------------
 */

struct holder *pool_claim_holder(struct pool *pool, uint64_t session)
{
        const struct recorder *recorder = pool->recorder;
        struct holder key = {.results.session = session}, *wanted = &key, **found;

        if (!recorder || !recorder->index_count)
                return NULL;
        found = bsearch(&wanted, recorder->index, recorder->index_count, sizeof(struct holder *),
                compare_sessions);
        if (!found || (*found)->results.claimed)
                return NULL;
        (*found)->results.claimed = true;
        return *found;
}

void pool_release_unclaimed(struct pool *pool)
{
        struct recorder *recorder = pool->recorder;

        if (!recorder)
                return;
        for (uint32_t i = 0; i < recorder->index_count; i++)
                if (!recorder->index[i]->results.claimed)
                        holder_free(recorder->index[i]);
        free(recorder->index);
        recorder->index = NULL;
        recorder->index_count = 0;
        LOCK_SCOPE(&pool->lock);
        if (pool->tree.totals.freed)
                reclaim_wake(pool, false);
}
