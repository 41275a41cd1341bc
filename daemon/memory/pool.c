// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"
#include "base/error.h"
#include "base/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- life --------------------------------------------------------------------------------------
 */

/* Twice the RAM as a power of two: RAM and as much swap, and room for what is sparse. */
static uint64_t default_capacity(uint64_t page_size)
{
        uint64_t want = 2 * (uint64_t)sysconf(_SC_PHYS_PAGES) * page_size;
        uint64_t capacity = CHUNK_SIZE;

        while (capacity < want)
                capacity *= 2;
        return capacity < POOL_PAGES_MAX * page_size ? capacity : POOL_PAGES_MAX * page_size;
}

static int check_options(const struct pool_options *options, uint64_t capacity, uint64_t page_size)
{
        size_t length = strlen(options->name);

        if (!length || length > POOL_NAME_MAX)
                return -EINVAL;
        if (!capacity || capacity % CHUNK_SIZE || capacity / page_size > POOL_PAGES_MAX)
                return -EINVAL;
        return 0;
}

int pool_make(struct memory *memory, const struct pool_options *options, const struct memfile *file,
        struct pool **ret)
{
        struct pool *pool = calloc(1, sizeof(*pool));

        if (!pool)
                return -ENOMEM;
        strcpy(pool->name, options->name);
        pool->file = *file;
        pool->memory = memory;
        pool->exec = options->exec;
        pool->zero_verify = options->zero_verify;
        pool->huge_advise = options->huge_advise;
        pool->size = pool_page(pool, CHUNK_SIZE);
        lock_init(&pool->lock, LOCK_POOL);
        usage_nodes_init(&pool->nodes);
        usage_tree_init(&pool->tree, &pool->nodes, pool_page(pool, file->capacity),
                pool_page(pool, HUGEPAGE_SIZE));
        LIST_INIT(&pool->holders);
        LIST_INIT(&pool->orphans);
        TAILQ_INIT(&pool->decommits);
        TAILQ_INIT(&pool->preparations);
        TAILQ_INIT(&pool->trims);
        TAILQ_INIT(&pool->askers);
        *ret = pool;
        return 0;
}

int pool_new(struct memory *memory, const struct pool_options *options, struct pool **ret)
{
        uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t capacity = options->capacity ? options->capacity : default_capacity(page_size);
        struct memfile file;
        char file_name[POOL_NAME_MAX + 16];
        int r = check_options(options, capacity, page_size);

        if (r < 0)
                return r;
        snprintf(file_name, sizeof(file_name), "filemem:%s", options->name);
        r = memfile_create(&file, file_name, capacity, options->exec);
        if (r < 0)
                return r;
        r = pool_make(memory, options, &file, ret);
        if (r < 0)
                memfile_close(&file);
        return r;
}

struct pool *pool_free(struct pool *pool)
{
        struct memory *memory;

        if (!pool)
                return NULL;
        memory = pool->memory;
        check(!memory->started || pool->retired);
        check(LIST_EMPTY(&pool->holders) && TAILQ_EMPTY(&pool->decommits) &&
                TAILQ_EMPTY(&pool->preparations) && TAILQ_EMPTY(&pool->trims) &&
                TAILQ_EMPTY(&pool->askers));
        while (!LIST_EMPTY(&pool->orphans)) {
                struct holder *holder = LIST_FIRST(&pool->orphans);

                usage_tree_clear(&holder->holdings);
                holder_discard(holder);
        }
        if (pool->queued == POOL_WORK)
                TAILQ_REMOVE(&memory->work, pool, work_link);
        else if (pool->queued != POOL_IDLE)
                TAILQ_REMOVE(&memory->later, pool, work_link);
        usage_tree_clear(&pool->tree);
        usage_nodes_deinit(&pool->nodes);
        lock_deinit(&pool->lock);
        memfile_close(&pool->file);
        recorder_free(pool->recorder);
        free(pool);
        return NULL;
}

/* ---- operations --------------------------------------------------------------------------------
 */

/* range_check(), which what is right does not have to call, and the range in pages. */
static inline int to_pages(
        const struct pool *pool, struct range range, uint32_t *ret_start, uint32_t *ret_end)
{
        uint64_t page_size = pool->file.page_size;
        bool right = range.start < range.end && !((range.start | range.end) & (page_size - 1)) &&
                     range.end <= pool->file.capacity;

        *ret_start = pool_page(pool, range.start);
        *ret_end = pool_page(pool, range.end);
        return right ? 0 : range_check(range, pool->file.capacity, page_size);
}

/* Doubles until the range lies within. */
static void grow_size(struct pool *pool, uint32_t end)
{
        while (pool->size < end)
                pool->size *= 2;
        if (pool->size > pool->tree.capacity)
                pool->size = pool->tree.capacity;
}

int pool_take(struct holder *holder, uint64_t length, unsigned kind, uint32_t refs,
        struct range *ret, uint64_t *ret_size)
{
        struct pool *pool = holder->pool;
        struct usage_entry entry = {.refs = refs};
        uint32_t pages;
        int r = range_check_length(length, pool->file.capacity, pool->file.page_size);

        if (r)
                return r;
        if (kind >= KIND_COUNT)
                return OUTCOME_KIND_UNKNOWN;
        pages = pool_page(pool, length);
        entry.tags = (uint8_t)kind;

        LOCK_SCOPE(&pool->lock);
        if (pool->damaged)
                return OUTCOME_POOL_DAMAGED;
        r = holder_check_allocate(holder, pages);
        if (r)
                return r;
        r = holder_prepare(holder);
        if (r == 0)
                r = usage_nodes_reserve(
                        &pool->nodes, usage_tree_need(&pool->tree) + holder_need(holder));
        if (r < 0)
                return r;
        if (!usage_tree_allocate(&pool->tree, pages, length >= HUGEPAGE_SIZE, &entry)) {
                if (pool->tree.totals.freed)
                        reclaim_wake(pool, true);
                return OUTCOME_POOL_FULL;
        }
        if (pool->sole != holder)
                usage_tree_insert(&holder->holdings, &entry);
        if (pool->recorder && refs != REFS_PREPARING)
                record_allocate(holder, entry.start, entry.end, (uint8_t)kind);
        if (refs == REFS_PREPARING)
                pool->leased += pages;
        grow_size(pool, entry.end);
        *ret = pool_bytes(pool, entry.start, entry.end);
        *ret_size = pool->size * pool->file.page_size;
        PROBE4(allocate, pool->name, ret->start, length, kind);
        return 0;
}

int pool_allocate(struct holder *holder, uint64_t length, unsigned kind, struct range *ret,
        uint64_t *ret_size)
{
        debug_check(!holder->pool->zero_verify);
        return pool_take(holder, length, kind, 1, ret, ret_size);
}

int pool_incref(struct holder *holder, struct range range)
{
        struct pool *pool = holder->pool;
        struct usage_path path;
        uint32_t start, end, most;
        size_t need;
        int r = to_pages(pool, range, &start, &end);

        if (r)
                return r;

        LOCK_SCOPE(&pool->lock);
        if (holder_reach(holder, start, end) < end)
                return OUTCOME_RANGE_DIVIDED;
        if (!usage_tree_locate(&pool->tree, start, end, &path, &most))
                return OUTCOME_NOT_ALLOCATED;
        if (most == UINT32_MAX)
                return OUTCOME_REFS_OVERFLOW;
        r = holder_check_incref(holder, start, end);
        if (r)
                return r;
        r = holder_prepare(holder);
        if (r < 0)
                return r;
        need = usage_tree_need(&pool->tree);
        if (pool->sole != holder)
                need += usage_tree_increase_need(
                        &holder->holdings, start, end, pool_count_runs(pool, start, end));
        r = usage_nodes_reserve(&pool->nodes, need);
        if (r == 0) {
                usage_tree_incref(&pool->tree, &path, start, end);
                if (pool->sole != holder)
                        usage_tree_increase(&holder->holdings, &pool->tree, start, end);
                if (pool->recorder)
                        record_incref(holder, start, end);
        }
        usage_nodes_trim(&pool->nodes);
        return r;
}

/* Why a range that a holder does not hold whole cannot be what was asked, as far as an operation
 * may look. */
static int why_not_held(struct holder *holder, uint32_t start, uint32_t end)
{
        struct usage_path path;
        uint32_t most;

        end = holder_reach(holder, start, end);
        return usage_tree_locate(&holder->pool->tree, start, end, &path, &most)
                       ? OUTCOME_NOT_HELD
                       : OUTCOME_NOT_ALLOCATED;
}

/* Whether the holder holds every page, and the path to the first; else why not. */
static inline int check_held(
        struct holder *holder, uint32_t start, uint32_t end, struct usage_path *ret)
{
        uint32_t most;

        return usage_tree_locate(holder_tree(holder), start, end, ret, &most)
                       ? 0
                       : why_not_held(holder, start, end);
}

static inline __attribute__((always_inline)) int decref_part(
        struct holder *holder, struct range range, uint64_t *from)
{
        struct pool *pool = holder->pool;
        struct usage_path path;
        uint32_t start, end, reached;
        int r = to_pages(pool, (struct range){*from, range.end}, &start, &end);

        if (r)
                return r;

        LOCK_SCOPE(&pool->lock);
        r = check_held(holder, start, end, &path);
        if (!r && *from == range.start)
                r = holder_check_decref(holder, start, end);
        if (r)
                return r;
        reached = holder_reach(holder, start, end);
        holder->results.part = reached < end;
        r = holder_drop(holder, reached == end ? &path : NULL, start, reached, 1);
        if (r == 0)
                *from = pool_bytes(pool, start, reached).end;
        return r;
}

int pool_decref_part(struct holder *holder, struct range range, uint64_t *from)
{
        return decref_part(holder, range, from);
}

int pool_decref(struct holder *holder, struct range range)
{
        uint64_t from = range.start;
        int r;

        do
                r = decref_part(holder, range, &from);
        while (!r && from < range.end);
        return r;
}

int pool_check_decommit(struct holder *holder, struct range range, bool shared)
{
        struct pool *pool = holder->pool;
        struct usage_path path;
        uint32_t start, end;
        int r = to_pages(pool, range, &start, &end);

        if (r)
                return r;

        LOCK_SCOPE(&pool->lock);
        if (pool->damaged)
                return OUTCOME_POOL_DAMAGED;
        if (holder_reach(holder, start, end) < end)
                return OUTCOME_RANGE_DIVIDED;
        r = check_held(holder, start, end, &path);
        if (r == 0 && !shared && holder_shares(holder, start, end))
                r = OUTCOME_SHARED;
        return r;
}

bool pool_find_gap(struct pool *pool, uint32_t page, uint32_t *ret_start, uint32_t *ret_end)
{
        struct usage_entry entry;
        LOCK_SCOPE_PATIENT(&pool->lock);

        while (page < pool->tree.capacity) {
                bool found = usage_tree_find(&pool->tree, page, &entry);

                if (!found || entry.start > page) {
                        *ret_start = page;
                        *ret_end = found ? entry.start : pool->tree.capacity;
                        return true;
                }
                page = entry.end;
        }
        return false;
}
