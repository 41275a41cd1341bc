// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/probe.h"

#include <sys/sysinfo.h>

/*
 * Bringing the committed counts up to date.
 *
 * The gate: if the file stores as many bytes as the counts of all entries add up to, none of these
 * is an estimate, and the file's ctime is that of before the last scan, which wrote all of its
 * counts back, then nothing has changed.
 * For whoever punches changes ctime; with no punch no entry can have less than was counted, and
 * what we decommit and reclaim ourselves we take off; so equal sums mean equal parts.
 *
 * Otherwise the entries are counted in batches. The lock is held to list a batch and to write it
 * back, never while the kernel counts. What is being counted is marked; whatever changes an entry's
 * extent or contents meanwhile takes the mark away, and then the count is not written back.
 *
 * The rest: in a pool of few entries a large one is not counted, for the kernel looks at each of
 * its pages. What all the others and the gaps have is, and what is left of what the file stores is
 * its own: if that, ctime and the pages that are in entries are what they were before, nothing has
 * come or gone meanwhile.
 */
#define BATCH 128

struct item {
        uint32_t start;
        uint32_t end;
        uint32_t committed;
};

struct batch {
        struct item items[BATCH];
        size_t count;
        bool all;       /* the pool has no others */
        uint64_t pages; /* of all entries of the pool */
};

static bool change_mark(struct usage_entry *entry, void *argument)
{
        struct batch *batch = argument;

        entry->tags |= USAGE_SCANNING;
        batch->items[batch->count++] = (struct item){.start = entry->start, .end = entry->end};
        return true;
}

/* Of all entries, freed ones too. As long as nothing is punched it can only grow. */
static uint64_t entry_pages(const struct pool *pool)
{
        lock_assert_held(&pool->lock);
        return usage_tree_pages(&pool->tree) + pool->tree.totals.freed;
}

/* Lists and marks the next entries from `page` on. Returns false if there are none. */
static bool batch_begin(struct pool *pool, uint32_t page, struct batch *batch)
{
        struct usage_cursor cursor;
        struct usage_entry entry = {.start = 0};
        uint32_t start = UINT32_MAX;
        LOCK_SCOPE_PATIENT(&pool->lock);

        batch->count = 0;
        usage_cursor_init(&cursor, &pool->tree, page);
        for (unsigned i = 0; i < BATCH && usage_cursor_next(&cursor, &entry); i++)
                if (start == UINT32_MAX)
                        start = entry.start;
        if (start == UINT32_MAX)
                return false;
        usage_tree_change(&pool->tree, start, entry.end, change_mark, batch);
        batch->all = batch->count == pool->tree.totals.entries;
        batch->pages = entry_pages(pool);
        return true;
}

static bool change_write_back(struct usage_entry *entry, void *argument)
{
        const struct item *item = argument;

        entry->committed = item->committed;
        entry->tags &= (uint8_t) ~(USAGE_ESTIMATED | USAGE_SCANNING);
        return true;
}

/*
 * One by one: what was one entry may be many by now, and then none of them is written to. They keep
 * a count from before, which may be too high though it is no estimate. Returns whether there is
 * none of these.
 */
static bool batch_end(struct pool *pool, struct batch *batch)
{
        struct usage_entry entry;
        bool whole = true;
        LOCK_SCOPE_PATIENT(&pool->lock);

        for (size_t i = 0; i < batch->count; i++) {
                struct item *item = &batch->items[i];

                if (!usage_tree_find(&pool->tree, item->start, &entry) || entry.start >= item->end)
                        continue; /* given back meanwhile */
                if (entry.start == item->start && entry.end == item->end &&
                        entry.tags & USAGE_SCANNING)
                        usage_tree_change(
                                &pool->tree, item->start, item->end, change_write_back, item);
                else
                        whole = false;
        }
        return whole;
}

static int count(struct pool *pool, uint32_t start, uint32_t end, uint32_t *ret, uint64_t *swapped)
{
        struct account_count found;
        int r = account_count(
                pool->memory->accounting, &pool->file, pool_bytes(pool, start, end), &found);

        if (r < 0)
                return r;
        *ret = pool_page(pool, found.committed);
        if (*ret > end - start)
                *ret = end - start;
        *swapped += found.swapped;
        return 0;
}

/* ---- stray pages -------------------------------------------------------------------------------
 */

/* Whether there is still no entry in it: else what was counted may belong to that. */
static bool is_gap(struct pool *pool, uint32_t start, uint32_t end)
{
        struct usage_entry entry;
        LOCK_SCOPE_PATIENT(&pool->lock);

        return !usage_tree_find(&pool->tree, start, &entry) || entry.start >= end;
}

/* ret_found: of it also what is in an entry by now. */
static int scan_gaps(struct pool *pool, uint64_t *ret_stray, uint64_t *ret_found, uint64_t *swapped)
{
        uint64_t stray = 0, all = 0;
        uint32_t start, end, found;

        for (uint32_t page = 0; pool_find_gap(pool, page, &start, &end); page = end) {
                int r = count(pool, start, end, &found, swapped);

                if (r < 0)
                        return r;
                all += found * pool->file.page_size;
                if (found && is_gap(pool, start, end))
                        stray += found * pool->file.page_size;
        }
        *ret_stray = stray;
        *ret_found = all;
        return 0;
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

/* Else only counting tells how much of an entry is in swap. */
static bool is_without_swap(void)
{
        struct sysinfo information;

        return sysinfo(&information) == 0 && information.totalswap == 0;
}

/* The item that may be counted as the rest, NULL if there is none. */
static struct item *choose_rest(const struct pool *pool, struct batch *batch)
{
        struct item *largest = &batch->items[0];

        for (size_t i = 1; i < batch->count; i++)
                if (batch->items[i].end - batch->items[i].start > largest->end - largest->start)
                        largest = &batch->items[i];
        return batch->all && largest->end - largest->start >= pool->memory->rest_pages &&
                               is_without_swap()
                       ? largest
                       : NULL;
}

static bool has_same_pages(struct pool *pool, const struct batch *batch)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        return entry_pages(pool) == batch->pages;
}

/* All other items are counted. Whether it could be told; before: from when none was. */
static int subtract(struct pool *pool, const struct batch *batch, struct item *rest,
        const struct memfile_state *before, bool *ret_done)
{
        uint64_t others, stray, swapped = 0,
                                most = pool_bytes(pool, 0, rest->end - rest->start).end;
        struct memfile_state now;
        int r = scan_gaps(pool, &stray, &others, &swapped);

        if (r == 0)
                r = memfile_stat(&pool->file, &now);
        if (r)
                return r;
        for (size_t i = 0; i < batch->count; i++)
                if (&batch->items[i] != rest)
                        others += batch->items[i].committed * pool->file.page_size;
        *ret_done = now.stored == before->stored && now.changed == before->changed &&
                    has_same_pages(pool, batch) && others <= now.stored &&
                    now.stored - others <= most;
        if (*ret_done)
                rest->committed = pool_page(pool, now.stored - others);
        return 0;
}

/* ---- entries -----------------------------------------------------------------------------------
 */

static int count_item(struct pool *pool, struct item *item, uint64_t *swapped)
{
        return count(pool, item->start, item->end, &item->committed, swapped);
}

static int count_batch(struct pool *pool, struct batch *batch, const struct memfile_state *before,
        uint64_t *swapped)
{
        struct item *rest = choose_rest(pool, batch);
        bool done = false;
        int r = 0;

        for (size_t i = 0; r == 0 && i < batch->count; i++)
                if (&batch->items[i] != rest)
                        r = count_item(pool, &batch->items[i], swapped);
        if (r == 0 && rest)
                r = subtract(pool, batch, rest, before, &done);
        if (r == 0 && rest && !done)
                r = count_item(pool, rest, swapped);
        return r;
}

static int scan_entries(
        struct pool *pool, const struct memfile_state *before, struct scan_result *result)
{
        struct batch batch;
        uint32_t page = 0;

        while (batch_begin(pool, page, &batch)) {
                int r = count_batch(pool, &batch, before, &result->swapped);

                if (r < 0)
                        return r;
                page = batch.items[batch.count - 1].end;
                if (!batch_end(pool, &batch))
                        result->whole = false;
        }
        return 0;
}

/* ---- a scan ------------------------------------------------------------------------------------
 */

/* What the tree has, in bytes, freed entries too; and whether any of it is an estimate. */
static uint64_t known(struct pool *pool, bool *ret_estimated)
{
        LOCK_SCOPE_PATIENT(&pool->lock);
        uint64_t pages = pool->tree.totals.freed_committed;

        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                pages += pool->tree.totals.committed[kind];
        *ret_estimated = pool->tree.root && (pool->tree.summary.tags & USAGE_ESTIMATED);
        return pages * pool->file.page_size;
}

/* The gate; see above. */
static bool unchanged(struct pool *pool, const struct memfile_state *state)
{
        bool estimated;
        uint64_t sum = known(pool, &estimated);
        LOCK_SCOPE_PATIENT(&pool->lock);

        if (!pool->scan.at || !pool->scan.whole || estimated || sum != state->stored ||
                pool->scan.changed != state->changed)
                return false;
        pool->scan.at = clock_now();
        pool->scan.stored = state->stored;
        pool->scan.stray = 0;
        return true;
}

static void publish(struct pool *pool, const struct scan_result *result)
{
        LOCK_SCOPE_PATIENT(&pool->lock);

        pool->scan = *result;
        if (!result->stray)
                return;
        if (pool->scrub) {
                pool->scrub_again = true; /* the pass under way may be beyond these already */
                return;
        }
        pool->scrub = true;
        pool->scrub_at = 0;
        reclaim_wake(pool, false);
}

/* Counts, whatever the gate says. before: of the file. */
static int count_all(struct pool *pool, const struct memfile_state *before)
{
        struct scan_result result = {.whole = true, .changed = before->changed};
        struct memfile_state state;
        uint64_t found;
        bool estimated;
        int r = scan_entries(pool, before, &result);

        if (r < 0)
                return r;
        r = memfile_stat(&pool->file, &state);
        if (r < 0)
                return r;
        if (known(pool, &estimated) < state.stored) {
                r = scan_gaps(pool, &result.stray, &found, &result.swapped);
                if (r < 0)
                        return r;
        }
        result.stored = state.stored;
        result.at = clock_now();
        publish(pool, &result);
        return 0;
}

int scan_run(struct pool *pool)
{
        struct memory *memory = pool->memory;
        struct memfile_state state;
        uint64_t before, duration;
        int r;

        atomic_fetch_add(&pool->scans_begun, 1);
        r = memfile_stat(&pool->file, &state);
        if (r < 0)
                return r;
        if (unchanged(pool, &state))
                return 0;
        before = clock_now();
        atomic_fetch_add_explicit(&memory->scan_count, 1, memory_order_relaxed);
        r = count_all(pool, &state);
        duration = clock_now() - before;
        histogram_add(&memory->scan_times, duration);
        PROBE4(scan, pool->name, state.stored, r, duration);
        return r;
}
