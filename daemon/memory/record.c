// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "memory/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- results ----------------------------------------------------------------------------------
 */

int results_reserve(struct holder_results *results, uint32_t count)
{
        uint32_t room = results->room ? results->room : 4;
        struct pool_result *list;

        if (count <= results->room)
                return 0;
        while (room < count)
                room *= 2;
        list = realloc(results->list, room * sizeof(*list));
        if (!list)
                return -ENOMEM;
        results->list = list;
        results->room = room;
        return 0;
}

void results_add(struct holder_results *results, uint64_t request, const struct pool_result *add)
{
        if (results->last != request) {
                results->last = request;
                results->count = 0;
        }
        /* Another part of the same operation takes the place of the one before. */
        if (results->count && results->list[results->count - 1].operation == add->operation)
                results->count--;
        check(results->count < results->room);
        results->list[results->count++] = *add;
}

void results_free(struct holder_results *results)
{
        free(results->list);
        results->list = NULL;
        results->count = results->room = 0;
}

int holder_begin(struct holder *holder, uint64_t request, uint32_t operation)
{
        struct holder_results *results = &holder->results;
        uint32_t count = results->last == request ? results->count : 0;

        if (!holder->pool->recorder)
                return 0;
        results->request = request;
        results->operation = operation;
        results->part = false;
        if (!request || count < results->room)
                return 0;
        /* The reclaim thread may be copying the list. */
        LOCK_SCOPE(&holder->pool->lock);
        return results_reserve(results, count + 1);
}

bool holder_recall(
        struct holder *holder, uint64_t request, uint32_t operation, struct pool_result *ret)
{
        const struct holder_results *results = &holder->results;
        LOCK_SCOPE(&holder->pool->lock);

        if (!request || results->last != request)
                return false;
        for (uint32_t i = 0; i < results->count; i++) {
                if (results->list[i].operation != operation)
                        continue;
                *ret = results->list[i];
                ret->range = pool_bytes(
                        holder->pool, (uint32_t)ret->range.start, (uint32_t)ret->range.end);
                return true;
        }
        return false;
}

uint64_t holder_last_request(struct holder *holder)
{
        LOCK_SCOPE(&holder->pool->lock);
        return holder->results.last;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void write_record(struct pool *pool, const struct record *record)
{
        struct recorder *recorder = pool->recorder;

        lock_assert_held(&pool->lock);
        if (recorder->stopped)
                return;
        if (__builtin_expect(journal_append(&recorder->journal, record) < 0, 0) &&
                !recorder->failed) {
                recorder->failed = true;
                recorder->copy.wanted = true;
                reclaim_wake(pool, false);
        }
        if (__builtin_expect(journal_is_low(&recorder->journal), 0) && !recorder->low &&
                !recorder->short_of) {
                recorder->low = true;
                reclaim_wake(pool, false);
        }
        if (__builtin_expect(recorder->copy.phase != COPY_IDLE, 0))
                copy_follow(pool, record);
        else if (__builtin_expect(journal_count(&recorder->journal) >= recorder->limit, 0) &&
                 !recorder->copy.wanted) {
                recorder->copy.wanted = true;
                reclaim_wake(pool, false);
        }
}

/* Of an operation that the holder is at: with what came of it, if it may be sent again. */
static void write_change(struct holder *holder, struct record *record)
{
        struct holder_results *results = &holder->results;

        record->slot = results->slot;
        if (results->request) {
                const struct pool_result result = {
                        .operation = results->operation,
                        .result = record->type == RECORD_RESULT ? (int)record->value : 0,
                        .range = {record->start, record->end},
                        .part = results->part,
                };

                record->request = results->request;
                record->operation = (uint8_t)results->operation;
                if (results->part)
                        record->flags |= RECORD_PART;
                results_add(results, results->request, &result);
        }
        write_record(holder->pool, record);
}

void record_allocate(struct holder *holder, uint32_t start, uint32_t end, uint8_t kind)
{
        struct record record = {.type = RECORD_ALLOCATE,
                .kind = kind,
                .flags = RECORD_RANGED,
                .start = start,
                .end = end,
                .value = 1};

        write_change(holder, &record);
}

void record_incref(struct holder *holder, uint32_t start, uint32_t end)
{
        struct record record = {.type = RECORD_INCREF, .start = start, .end = end, .value = 1};

        write_change(holder, &record);
}

void record_decref(struct holder *holder, uint32_t start, uint32_t end, uint32_t refs)
{
        struct record record = {.type = RECORD_DECREF, .start = start, .end = end, .value = refs};

        write_change(holder, &record);
}

void holder_note(struct holder *holder, int result)
{
        struct record record = {.type = RECORD_RESULT, .value = (uint32_t)result};

        if (!holder->pool->recorder || !holder->results.request)
                return;
        LOCK_SCOPE(&holder->pool->lock);
        write_change(holder, &record);
}

void record_keep(struct pool *pool, uint32_t start, uint32_t end, uint8_t kind)
{
        const struct record record = {
                .type = RECORD_KEEP, .kind = kind, .start = start, .end = end};

        write_record(pool, &record);
}

void record_give(struct pool *pool, uint32_t start, uint32_t end)
{
        const struct record record = {.type = RECORD_GIVE, .start = start, .end = end};

        write_record(pool, &record);
}

/* ---- holders ----------------------------------------------------------------------------------
 */

static int find_slot(struct recorder *recorder, uint32_t *ret)
{
        uint32_t slot = recorder->slot_low, room;
        struct holder **slots;

        while (slot < recorder->slot_room && recorder->slots[slot])
                slot++;
        recorder->slot_low = slot;
        if (slot == recorder->slot_room) {
                room = recorder->slot_room ? 2 * recorder->slot_room : 16;
                slots = realloc(recorder->slots, room * sizeof(struct holder *));
                if (!slots)
                        return -ENOMEM;
                memset(slots + slot, 0, (room - slot) * sizeof(struct holder *));
                recorder->slots = slots;
                recorder->slot_room = room;
        }
        *ret = slot;
        return 0;
}

int record_join(struct holder *holder)
{
        struct recorder *recorder = holder->pool->recorder;
        struct record record = {.type = RECORD_JOIN, .request = holder->results.session};
        int r = find_slot(recorder, &record.slot);

        if (r < 0)
                return r;
        holder->results.slot = record.slot;
        recorder->slots[record.slot] = holder;
        write_record(holder->pool, &record);
        return 0;
}

void record_leave(struct holder *holder)
{
        struct recorder *recorder = holder->pool->recorder;
        const struct record record = {.type = RECORD_LEAVE, .slot = holder->results.slot};

        write_record(holder->pool, &record);
        recorder->slots[record.slot] = NULL;
        if (record.slot < recorder->slot_low)
                recorder->slot_low = record.slot;
}
