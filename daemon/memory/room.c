// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/error.h"

void holder_set_limits(struct holder *holder, const struct holder_limits *limits)
{
        struct pool *pool = holder->pool;
        LOCK_SCOPE(&pool->lock);

        holder->room.pages = limits->bytes / pool->file.page_size;
        holder->room.entries = limits->ranges;
        holder->room.cut_entries = limits->cut_ranges;
}

size_t pool_count_runs(const struct pool *pool, uint32_t start, uint32_t end)
{
        enum kind kind = KIND_COUNT;
        struct usage_cursor cursor;
        struct usage_entry entry;
        size_t runs = 0;

        usage_cursor_init(&cursor, &pool->tree, start);
        while (usage_cursor_next(&cursor, &entry) && entry.start < end) {
                runs += usage_entry_kind(&entry) != kind;
                kind = usage_entry_kind(&entry);
        }
        return runs;
}

/* Gaps in the holdings, in [start, end): their count, and their pages in sum. */
static void measure_gaps(struct holder *holder, uint32_t start, uint32_t end, uint64_t *ret_gaps,
        uint64_t *ret_pages)
{
        uint64_t gaps = 0, pages = 0;
        struct usage_cursor cursor;
        struct usage_entry entry;

        usage_cursor_init(&cursor, holder_tree(holder), start);
        while (start < end) {
                bool found = usage_cursor_next(&cursor, &entry) && entry.start < end;

                if (!found || entry.start > start) {
                        gaps++;
                        pages += (found ? entry.start : end) - start;
                }
                start = found ? entry.end : end;
        }
        *ret_gaps = gaps;
        *ret_pages = pages;
}

int holder_measure_incref(struct holder *holder, uint32_t start, uint32_t end)
{
        const struct usage_tree *tree = holder_tree(holder);
        uint64_t held = usage_tree_pages(tree), entries = tree->totals.entries, gaps, pages;

        measure_gaps(holder, start, end, &gaps, &pages);
        if (pages && held + pages > holder->room.pages)
                return OUTCOME_LIMIT_BYTES;
        if (gaps)
                gaps += pool_count_runs(holder->pool, start, end) - 1;
        return entries + gaps + 2 > holder->room.entries ? OUTCOME_LIMIT_RANGES : 0;
}

/* Whether a change that begins or ends at this page cuts an entry of the holdings. */
static bool cuts_at(const struct usage_tree *tree, uint32_t page, struct usage_entry *ret)
{
        return usage_tree_find(tree, page, ret) && ret->start < page;
}

/* How many entries more there may be when [start, end), all of which is held, is given up once. */
static unsigned count_cuts(const struct usage_tree *tree, uint32_t start, uint32_t end)
{
        struct usage_entry first, last;
        bool cuts_start = cuts_at(tree, start, &first), cuts_end = cuts_at(tree, end, &last);

        if (cuts_start && cuts_end && first.start == last.start)
                return first.refs == 1 ? 1 : 2; /* a hole, or a part between two others */
        /* A part that was held once is gone, and the entry only shorter. */
        return (unsigned)(cuts_start && first.refs > 1) + (unsigned)(cuts_end && last.refs > 1);
}

int holder_measure_decref(struct holder *holder, uint32_t start, uint32_t end)
{
        const struct usage_tree *tree = holder_tree(holder);
        unsigned cuts = count_cuts(tree, start, end);

        return cuts && tree->totals.entries + cuts > holder->room.cut_entries ? OUTCOME_LIMIT_RANGES
                                                                              : 0;
}

/* Where the first OPERATION_ENTRIES entries of a tree that touch [start, end) end. */
static uint32_t reach(const struct usage_tree *tree, uint32_t start, uint32_t end)
{
        struct usage_cursor cursor;
        struct usage_entry entry;
        unsigned count = 0;

        usage_cursor_init(&cursor, tree, start);
        while (count++ < OPERATION_ENTRIES) {
                if (!usage_cursor_next(&cursor, &entry) || entry.end >= end)
                        return end;
                start = entry.end;
        }
        return start;
}

uint32_t holder_measure_reach(struct holder *holder, uint32_t start, uint32_t end)
{
        end = reach(&holder->pool->tree, start, end);
        return holder->pool->sole == holder ? end : reach(&holder->holdings, start, end);
}
