// SPDX-License-Identifier: Apache-2.0
#include "memory/replay.h"
#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More holders than descriptors there can be. */
#define SLOTS_MAX (UINT32_C(1) << 24)

/* ---- looking before changing ------------------------------------------------------------------
 */

static bool is_gap(const struct usage_tree *tree, uint32_t start, uint32_t end)
{
        struct usage_entry entry;

        /* What is read in order, as a copy is, is always behind all that there is. */
        if (!tree->root || start >= tree->summary.end)
                return true;
        return !usage_tree_find(tree, start, &entry) || entry.start >= end;
}

static bool is_whole(const struct usage_tree *tree, uint32_t start, uint32_t end)
{
        struct usage_path path;
        uint32_t most;

        return usage_tree_locate(tree, start, end, &path, &most);
}

/* The fewest and the most references that a part of the range has; gaps have none. */
static void measure(const struct usage_tree *tree, uint32_t start, uint32_t end,
        uint32_t *ret_least, uint32_t *ret_most)
{
        struct usage_cursor cursor;
        struct usage_entry entry;

        *ret_least = UINT32_MAX;
        *ret_most = 0;
        usage_cursor_init(&cursor, tree, start);
        while (start < end) {
                if (!usage_cursor_next(&cursor, &entry) || entry.start >= end) {
                        *ret_least = 0;
                        return;
                }
                if (entry.start > start)
                        *ret_least = 0;
                if (entry.refs < *ret_least)
                        *ret_least = entry.refs;
                if (entry.refs > *ret_most)
                        *ret_most = entry.refs;
                start = entry.end;
        }
}

static size_t count_runs(const struct usage_tree *kept, uint32_t start, uint32_t end)
{
        struct usage_cursor cursor;
        struct usage_entry entry;
        size_t runs = 0;

        usage_cursor_init(&cursor, kept, start);
        while (usage_cursor_next(&cursor, &entry) && entry.start < end)
                runs++;
        return runs;
}

/* ---- what is taken ----------------------------------------------------------------------------
 */

static int insert(struct usage_tree *tree, const struct record *record, uint32_t refs)
{
        const struct usage_entry entry = {
                .start = record->start, .end = record->end, .refs = refs, .tags = record->kind};
        int r;

        if (!refs || refs == REFS_PREPARING || !is_gap(tree, entry.start, entry.end))
                return -EBADMSG;
        r = usage_nodes_reserve(tree->nodes, usage_tree_need(tree));
        if (r == 0)
                usage_tree_insert(tree, &entry);
        return r;
}

static int apply_keep(struct replay *replay, const struct record *record)
{
        struct pool *pool = replay->pool;
        int r = insert(&replay->kept, record, 1);

        if (r < 0)
                return r;
        while (pool->size < record->end)
                pool->size *= 2;
        if (pool->size > pool->tree.capacity)
                pool->size = pool->tree.capacity;
        return 0;
}

static bool change_remove(struct usage_entry *entry, void *argument)
{
        (void)entry;
        (void)argument;
        return false;
}

static int apply_give(struct replay *replay, const struct record *record)
{
        struct usage_tree *kept = &replay->kept;
        int r;

        if (!is_whole(kept, record->start, record->end))
                return -EBADMSG;
        r = usage_nodes_reserve(kept->nodes, usage_tree_need(kept));
        if (r == 0)
                usage_tree_change(kept, record->start, record->end, change_remove, NULL);
        return r;
}

/* ---- what is held -----------------------------------------------------------------------------
 */

static int apply_incref(struct replay *replay, struct holder *holder, const struct record *record)
{
        struct usage_tree *tree = &holder->holdings;
        uint32_t least, most;
        int r;

        if (!is_whole(&replay->kept, record->start, record->end))
                return -EBADMSG;
        measure(tree, record->start, record->end, &least, &most);
        if (most >= REFS_PREPARING - 1)
                return -EBADMSG;
        r = usage_nodes_reserve(
                tree->nodes, usage_tree_increase_need(tree, record->start, record->end,
                                     count_runs(&replay->kept, record->start, record->end)));
        if (r == 0)
                usage_tree_increase(tree, &replay->kept, record->start, record->end);
        usage_nodes_trim(tree->nodes);
        return r;
}

static int apply_decref(struct holder *holder, const struct record *record)
{
        struct usage_tree *tree = &holder->holdings;
        uint32_t least, most;
        int r;

        measure(tree, record->start, record->end, &least, &most);
        if (!record->value || least < record->value)
                return -EBADMSG;
        r = usage_nodes_reserve(tree->nodes, usage_tree_need(tree));
        if (r == 0)
                usage_tree_decrease(tree, NULL, record->start, record->end, record->value);
        return r;
}

/* ---- holders ----------------------------------------------------------------------------------
 */

static int make_slot(struct recorder *recorder, uint32_t slot)
{
        uint32_t room = recorder->slot_room ? recorder->slot_room : 16;
        struct holder **slots;

        if (slot >= SLOTS_MAX)
                return -EBADMSG;
        while (room <= slot)
                room *= 2;
        if (room == recorder->slot_room)
                return recorder->slots[slot] ? -EBADMSG : 0;
        slots = realloc(recorder->slots, room * sizeof(struct holder *));
        if (!slots)
                return -ENOMEM;
        memset(slots + recorder->slot_room, 0,
                (room - recorder->slot_room) * sizeof(struct holder *));
        recorder->slots = slots;
        recorder->slot_room = room;
        return 0;
}

static int apply_join(struct replay *replay, const struct record *record)
{
        struct recorder *recorder = replay->pool->recorder;
        struct holder *holder;
        int r = make_slot(recorder, record->slot);

        if (r < 0)
                return r;
        holder = holder_make(replay->pool, record->request);
        if (!holder)
                return -ENOMEM;
        holder->results.slot = record->slot;
        recorder->slots[record->slot] = holder;
        return 0;
}

static int apply_leave(struct replay *replay, struct holder *holder)
{
        if (holder->holdings.root)
                return -EBADMSG;
        replay->pool->recorder->slots[holder->results.slot] = NULL;
        replay->pool->holder_count--;
        holder_discard(holder);
        return 0;
}

/* The result that is in the record of an operation. */
static int keep_result(struct holder *holder, const struct record *record)
{
        struct holder_results *results = &holder->results;
        struct pool_result result = {
                .operation = record->operation,
                .result = record->type == RECORD_RESULT ? (int)record->value : 0,
                .part = record->flags & RECORD_PART,
        };
        uint32_t count = results->last == record->request ? results->count : 0;
        int r = results_reserve(results, count + 1);

        if (r < 0)
                return r;
        if (result.result >= OUTCOME_COUNT)
                return -EBADMSG;
        result.range = (struct range){record->start, record->end};
        results_add(results, record->request, &result);
        return 0;
}

static int apply_held(struct replay *replay, struct holder *holder, const struct record *record)
{
        int r;

        switch (record->type) {
        case RECORD_HOLD:
                return insert(&holder->holdings, record, record->value);
        case RECORD_ALLOCATE:
                if (!is_gap(&holder->holdings, record->start, record->end))
                        return -EBADMSG;
                r = apply_keep(replay, record);
                return r < 0 ? r : insert(&holder->holdings, record, 1);
        case RECORD_INCREF:
                return apply_incref(replay, holder, record);
        case RECORD_DECREF:
                return apply_decref(holder, record);
        default: /* RECORD_RESULT */
                return 0;
        }
}

/* ---- one record -------------------------------------------------------------------------------
 */

static bool has_range(const struct record *record)
{
        return record->type == RECORD_KEEP || record->type == RECORD_GIVE ||
               (record->type >= RECORD_HOLD && record->type <= RECORD_DECREF);
}

static bool range_is_valid(const struct replay *replay, const struct record *record)
{
        return record->start < record->end && record->end <= replay->pool->tree.capacity &&
               record->kind < KIND_COUNT;
}

static int apply_holder(struct replay *replay, const struct record *record)
{
        const struct recorder *recorder = replay->pool->recorder;
        struct holder *holder;
        int r;

        if (record->slot >= recorder->slot_room || !recorder->slots[record->slot])
                return -EBADMSG;
        holder = recorder->slots[record->slot];
        if (record->type == RECORD_LEAVE)
                return apply_leave(replay, holder);
        r = apply_held(replay, holder, record);
        return r == 0 && record->request ? keep_result(holder, record) : r;
}

static int apply_size(struct replay *replay, const struct record *record)
{
        if (record->value > replay->pool->tree.capacity)
                return -EBADMSG;
        if (record->value > replay->pool->size)
                replay->pool->size = record->value;
        return 0;
}

int replay_apply(struct replay *replay, const struct record *record)
{
        if (has_range(record) && !range_is_valid(replay, record))
                return -EBADMSG;
        switch (record->type) {
        case RECORD_KEEP:
                return apply_keep(replay, record);
        case RECORD_GIVE:
                return apply_give(replay, record);
        case RECORD_JOIN:
                return apply_join(replay, record);
        case RECORD_LEAVE:
        case RECORD_HOLD:
        case RECORD_ALLOCATE:
        case RECORD_INCREF:
        case RECORD_DECREF:
        case RECORD_RESULT:
                return apply_holder(replay, record);
        case RECORD_SIZE:
                return apply_size(replay, record);
        case RECORD_DAMAGE:
                replay->pool->damaged = true;
                return 0;
        default:
                return -EBADMSG;
        }
}
