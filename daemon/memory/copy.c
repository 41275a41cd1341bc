// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/log.h"
#include "memory/private.h"

#include <errno.h>
#include <string.h>

/*
 * The copy of a journal that has grown: the pool as it is, in records, in pieces between the other
 * work of the reclaim thread. Meanwhile the pool changes.
 *
 *   1. COPY_KEPT: what is taken, by ascending pages;
 *   2. COPY_HELD: the holders by their slots, each with its results and what it holds, by pages.
 *
 * What has been passed already is in the copy: so a change of that is written there as well, cut
 * off where the copy has got to. What has not been passed will be found as it is then. So at the
 * end the copy says what the journal says, and one store makes it the journal.
 */
static void write_copy(struct pool *pool, const struct record *record)
{
        /* One that fails is found out at its end. */
        (void)journal_copy(&pool->recorder->journal, record);
}

static void write_result(
        struct pool *pool, uint32_t slot, uint64_t request, const struct pool_result *result)
{
        struct record record = {
                .type = RECORD_RESULT,
                .operation = (uint8_t)result->operation,
                .flags = RECORD_RANGED,
                .slot = slot,
                .start = (uint32_t)result->range.start,
                .end = (uint32_t)result->range.end,
                .value = (uint32_t)result->result,
                .request = request,
        };

        if (result->part)
                record.flags |= RECORD_PART;
        write_copy(pool, &record);
}

/* ---- what changes meanwhile -------------------------------------------------------------------
 */

/* Up to which page the copy has what this slot holds; false if it has nothing of it. */
static bool is_covered(const struct record_copy *copy, uint32_t slot, uint32_t *ret_page)
{
        if (copy->phase != COPY_HELD || slot > copy->slot || (slot == copy->slot && !copy->entered))
                return false;
        *ret_page = slot < copy->slot ? UINT32_MAX : copy->page;
        return true;
}

static void write_clipped(struct pool *pool, struct record record, uint32_t page)
{
        if (record.end > page)
                record.end = page;
        record.request = 0;
        if (record.start < record.end)
                write_copy(pool, &record);
}

static void follow_kept(struct pool *pool, const struct record *record, uint8_t type)
{
        const struct record_copy *copy = &pool->recorder->copy;
        struct record kept = *record;

        kept.type = type;
        kept.flags = 0;
        write_clipped(pool, kept, copy->phase == COPY_KEPT ? copy->page : UINT32_MAX);
}

static void follow_holder(struct pool *pool, const struct record *record, uint8_t type)
{
        uint32_t page;
        struct record held = *record;

        if (!is_covered(&pool->recorder->copy, record->slot, &page))
                return;
        held.type = type;
        held.flags = 0;
        if (type != RECORD_RESULT)
                write_clipped(pool, held, page);
        if (record->request) {
                const struct pool_result result = {
                        .operation = record->operation,
                        .result = type == RECORD_RESULT ? (int)record->value : 0,
                        .range = {record->start, record->end},
                        .part = record->flags & RECORD_PART,
                };

                write_result(pool, record->slot, record->request, &result);
        }
}

static void follow_leave(struct pool *pool, const struct record *record)
{
        struct record_copy *copy = &pool->recorder->copy;
        uint32_t page;

        if (!is_covered(copy, record->slot, &page))
                return;
        write_copy(pool, record);
        if (record->slot == copy->slot) {
                copy->slot++;
                copy->entered = false;
        }
}

void copy_follow(struct pool *pool, const struct record *record)
{
        uint32_t page;

        switch (record->type) {
        case RECORD_KEEP:
        case RECORD_GIVE:
                follow_kept(pool, record, record->type);
                break;
        case RECORD_ALLOCATE:
                follow_kept(pool, record, RECORD_KEEP);
                follow_holder(pool, record, RECORD_HOLD);
                break;
        case RECORD_JOIN:
                if (is_covered(&pool->recorder->copy, record->slot, &page))
                        write_copy(pool, record);
                break;
        case RECORD_LEAVE:
                follow_leave(pool, record);
                break;
        default:
                follow_holder(pool, record, record->type);
        }
}

/* ---- what is there ----------------------------------------------------------------------------
 */

/* A range that is being prepared is nobody's yet: it is written down when it is handed over. */
static bool is_preparing(const struct usage_entry *entry)
{
        return entry->refs == REFS_PREPARING;
}

/* Returns whether all is written. */
static bool copy_kept(struct pool *pool, unsigned *left)
{
        struct record_copy *copy = &pool->recorder->copy;
        struct record record = {.type = RECORD_KEEP};
        struct usage_cursor cursor;
        struct usage_entry entry;
        bool more = false;

        usage_cursor_init(&cursor, &pool->tree, copy->page);
        while (*left && (more = usage_cursor_next(&cursor, &entry))) {
                (*left)--;
                if (!is_preparing(&entry)) {
                        record.kind = (uint8_t)usage_entry_kind(&entry);
                        record.start = entry.start > copy->page ? entry.start : copy->page;
                        record.end = entry.end;
                        write_copy(pool, &record);
                }
                copy->page = entry.end;
        }
        return *left && !more;
}

static void enter_holder(struct pool *pool, const struct holder *holder)
{
        struct record_copy *copy = &pool->recorder->copy;
        const struct holder_results *results = &holder->results;
        const struct record record = {
                .type = RECORD_JOIN, .slot = results->slot, .request = results->session};

        write_copy(pool, &record);
        for (uint32_t i = 0; i < results->count; i++)
                write_result(pool, results->slot, results->last, &results->list[i]);
        copy->entered = true;
        copy->page = 0;
}

/* Returns whether all of it is written. */
static bool copy_holder(struct pool *pool, struct holder *holder, unsigned *left)
{
        struct record_copy *copy = &pool->recorder->copy;
        struct record record = {.type = RECORD_HOLD, .slot = copy->slot};
        struct usage_cursor cursor;
        struct usage_entry entry;
        bool more = false;

        usage_cursor_init(&cursor, holder_tree(holder), copy->page);
        while (*left && (more = usage_cursor_next(&cursor, &entry))) {
                (*left)--;
                if (entry.refs && !is_preparing(&entry)) {
                        record.kind = (uint8_t)usage_entry_kind(&entry);
                        record.start = entry.start > copy->page ? entry.start : copy->page;
                        record.end = entry.end;
                        record.value = entry.refs;
                        write_copy(pool, &record);
                }
                copy->page = entry.end;
        }
        return *left && !more;
}

static bool copy_held(struct pool *pool, unsigned *left)
{
        struct recorder *recorder = pool->recorder;
        struct record_copy *copy = &recorder->copy;

        while (copy->slot < recorder->slot_room && *left) {
                struct holder *holder = recorder->slots[copy->slot];

                if (!copy->entered)
                        (*left)--;
                if (holder && !copy->entered)
                        enter_holder(pool, holder);
                if (holder && !copy_holder(pool, holder, left))
                        return false;
                copy->slot++;
                copy->entered = false;
        }
        return copy->slot >= recorder->slot_room;
}

/* ---- from the beginning to the end ------------------------------------------------------------
 */

static void begin(struct pool *pool)
{
        struct record_copy *copy = &pool->recorder->copy;
        const struct record size = {.type = RECORD_SIZE, .value = pool->size};
        const struct record damage = {.type = RECORD_DAMAGE};

        journal_copy_begin(&pool->recorder->journal);
        copy->phase = COPY_KEPT;
        copy->slot = copy->page = 0;
        copy->entered = false;
        write_copy(pool, &size);
        if (pool->damaged)
                write_copy(pool, &damage);
}

/* Returns whether the end is reached. */
static bool advance(struct pool *pool, unsigned entries)
{
        struct record_copy *copy = &pool->recorder->copy;

        if (copy->phase == COPY_KEPT && copy_kept(pool, &entries))
                copy->phase = COPY_HELD;
        return copy->phase == COPY_HELD && copy_held(pool, &entries);
}

static int end(struct pool *pool)
{
        struct recorder *recorder = pool->recorder;
        struct record_copy *copy = &recorder->copy;
        int r = journal_copy_end(&recorder->journal);

        copy->phase = COPY_IDLE;
        copy->dirty = true;
        if (r < 0)
                return r;
        recorder->short_of = false;
        recorder->limit = 2 * journal_count(&recorder->journal) + RECORD_COPY_EVERY;
        copy->wanted = false;
        recorder->failed = false;
        return 0;
}

/*
 * Memory that the journal or its copy will need soon: so that nobody has to wait for it under the
 * lock. Where there is none, who needs it finds out.
 */
void copy_make_room(struct pool *pool)
{
        struct recorder *recorder = pool->recorder;
        struct journal_extent extent;
        bool needed;
        int r;

        if (!recorder || (!recorder->low && recorder->copy.phase == COPY_IDLE))
                return;
        {
                LOCK_SCOPE_PATIENT(&pool->lock);
                needed = journal_needs(&recorder->journal, &extent);
                recorder->low = false;
        }
        if (!needed)
                return;
        r = journal_fetch(&recorder->journal, &extent);
        LOCK_SCOPE_PATIENT(&pool->lock);
        if (r == 0)
                journal_add(&recorder->journal, &extent);
        else
                recorder->short_of = true;
}

/* A piece of it. Returns 1 when it is done, 0 before, or a negative errno. */
static int step(struct pool *pool)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        struct record_copy *copy = &pool->recorder->copy;
        int r;

        if (copy->phase == COPY_IDLE)
                begin(pool);
        if (!advance(pool, pool->recorder->piece))
                return 0;
        r = end(pool);
        return r < 0 ? r : 1;
}

/* Here, and not where it comes about: a line may take its time, and that is under the lock. */
static void tell(struct pool *pool)
{
        struct recorder *recorder = pool->recorder;
        bool failed = recorder->failed;

        if (failed && !recorder->told)
                log_event(LOG_JOURNAL_FULL, log_of_pool(pool->name),
                        "pool %s: no memory for its journal: until there is, the sessions in it "
                        "do not survive the daemon",
                        pool->name);
        if (!failed && recorder->told)
                log_event(LOG_JOURNAL_WHOLE, log_of_pool(pool->name),
                        "pool %s: its journal is whole again", pool->name);
        recorder->told = failed;
}

enum reclaim_result copy_step(struct pool *pool, uint64_t now)
{
        struct recorder *recorder = pool->recorder;
        struct record_copy *copy;
        int r;

        if (!recorder || !recorder->copy.wanted)
                return RECLAIM_DONE;
        tell(pool);
        copy = &recorder->copy;
        if (now < copy->retry_at)
                return RECLAIM_LATER;
        r = copy->dirty ? journal_clear(&recorder->journal) : 0;
        if (r == 0) {
                copy->dirty = false;
                r = step(pool);
        }
        tell(pool);
        /* What it took is given back at once, and asked for again before the next one. */
        if (r && copy->dirty && journal_clear(&recorder->journal) == 0)
                copy->dirty = false;
        if (r < 0)
                copy->retry_at = now + RECLAIM_RETRY_AFTER;
        return r < 0 ? RECLAIM_LATER : r ? RECLAIM_DONE : RECLAIM_MORE;
}

int copy_all(struct pool *pool)
{
        struct recorder *recorder = pool->recorder;
        int r = journal_clear(&recorder->journal);
        LOCK_SCOPE(&pool->lock);

        if (r < 0)
                return r;
        begin(pool);
        while (!advance(pool, UINT32_MAX)) {
        }
        return end(pool);
}
