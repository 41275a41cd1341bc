// SPDX-License-Identifier: Apache-2.0
#include "usage/model.h"

#include "base/check.h"

#include <string.h>

static uint32_t choose(struct model *model, uint32_t below)
{
        uint32_t drawn = model->draw(model->source, below);

        check(drawn < below);
        return drawn;
}

static void choose_range(struct model *model, uint32_t *start, uint32_t *end)
{
        *start = choose(model, MODEL_PAGES);
        *end = *start + 1 + choose(model, choose(model, 8) ? 24 : MODEL_PAGES);
        if (*end > MODEL_PAGES)
                *end = MODEL_PAGES;
}

/* What is reserved is exactly what is needed, none left over from before. */
static void reserve(struct model *model, size_t need)
{
        struct usage_nodes fresh = {
                .live = model->nodes.live,
                .leaf_max = model->nodes.leaf_max,
                .inner_max = model->nodes.inner_max,
        };
        size_t live = model->nodes.live;

        model->nodes.live = 0;
        usage_nodes_deinit(&model->nodes);
        model->nodes = fresh;
        model->nodes.live = live;
        check(usage_nodes_reserve(&model->nodes, need) == 0);
}

/* ---- the naive ones ----------------------------------------------------------------------------
 */

static bool naive_gap(const struct model *model, uint32_t length, uint32_t alignment, uint32_t *ret)
{
        for (uint32_t start = 0; start + length <= MODEL_PAGES; start += alignment) {
                uint32_t i = 0;

                while (i < length && !model->pages[start + i].allocated)
                        i++;
                if (i == length) {
                        *ret = start;
                        return true;
                }
        }
        return false;
}

static bool all_have_refs(const struct model *model, uint32_t start, uint32_t end)
{
        for (uint32_t i = start; i < end; i++)
                if (!model->pages[i].refs)
                        return false;
        return true;
}

/* ---- steps: each does the same to both ---------------------------------------------------------
 */

static void step_allocate(struct model *model)
{
        bool aligned = !choose(model, 4);
        uint32_t length = aligned ? MODEL_ALIGNMENT + choose(model, 40) : 1 + choose(model, 20);
        struct usage_entry entry = {.refs = 1, .tags = (uint8_t)choose(model, 3)};
        uint32_t want = 0;
        bool found = naive_gap(model, length, aligned ? MODEL_ALIGNMENT : 1, &want);

        uint32_t start;

        check(usage_tree_find_gap(&model->tree, length, aligned, &start) == found);
        check(!found || start == want);
        reserve(model, usage_tree_need(&model->tree));
        if (found && choose(model, 2)) {
                entry.start = start;
                entry.end = start + length;
                usage_tree_insert(&model->tree, &entry);
        } else {
                check(usage_tree_allocate(&model->tree, length, aligned, &entry) == found);
                check(!found || (entry.start == want && entry.end == want + length));
        }
        if (!found)
                return;
        for (uint32_t i = entry.start; i < entry.end; i++)
                model->pages[i] = (struct model_page){1, entry.tags, true, false};
}

static bool change_refs(struct usage_entry *entry, void *argument)
{
        entry->refs = (uint32_t)((int64_t)entry->refs + *(int *)argument);
        if (!entry->refs)
                entry->tags &= (uint8_t)~USAGE_KIND_MASK;
        return true;
}

static uint32_t most_refs(const struct model *model, uint32_t start, uint32_t end)
{
        uint32_t most = 0;

        for (uint32_t i = start; i < end; i++)
                if (model->pages[i].refs > most)
                        most = model->pages[i].refs;
        return most;
}

static void step_refs(struct model *model)
{
        int change = choose(model, 3) ? -1 : 1;
        bool with_place = choose(model, 2);
        struct usage_path path, *place;
        uint32_t start, end, most;
        bool found;

        choose_range(model, &start, &end);
        found = usage_tree_locate(&model->tree, start, end, &path, &most);
        check(found == all_have_refs(model, start, end));
        if (!found)
                return;
        check(most == most_refs(model, start, end));
        place = with_place ? &path : NULL;
        reserve(model, usage_tree_need(&model->tree));
        if (!choose(model, 4))
                usage_tree_change(&model->tree, start, end, change_refs, &change);
        else if (change > 0)
                usage_tree_incref(&model->tree, place, start, end);
        else
                usage_tree_decref(&model->tree, place, start, end, 1);
        for (uint32_t i = start; i < end; i++) {
                model->pages[i].refs = (uint32_t)((int)model->pages[i].refs + change);
                if (!model->pages[i].refs)
                        model->pages[i].kind = KIND_SYSTEM;
        }
}

/* As holdings lose references: what has none left is gone. */
static void step_decrease(struct model *model)
{
        struct usage_path path;
        uint32_t start, end, most;

        choose_range(model, &start, &end);
        if (!usage_tree_locate(&model->tree, start, end, &path, &most))
                return;
        reserve(model, usage_tree_need(&model->tree));
        usage_tree_decrease(&model->tree, choose(model, 2) ? &path : NULL, start, end, 1);
        for (uint32_t i = start; i < end; i++)
                if (!--model->pages[i].refs)
                        model->pages[i] = (struct model_page){0};
}

static bool change_remove_freed(struct usage_entry *entry, void *argument)
{
        (void)argument;
        return entry->refs > 0;
}

static void naive_remove_freed(struct model *model, uint32_t start, uint32_t end)
{
        for (uint32_t i = start; i < end; i++)
                if (!model->pages[i].refs)
                        model->pages[i] = (struct model_page){0};
}

/* Everything freed in a range. */
static void step_remove(struct model *model)
{
        uint32_t start, end;

        choose_range(model, &start, &end);
        reserve(model, usage_tree_need(&model->tree));
        usage_tree_change(&model->tree, start, end, change_remove_freed, NULL);
        naive_remove_freed(model, start, end);
}

/* The first freed entries from a random page on, as many as there are or fewer. */
static size_t find_freed(struct model *model, struct usage_entry *entries, size_t max)
{
        uint32_t page = choose(model, MODEL_PAGES);
        size_t count = usage_tree_collect_tagged(&model->tree, page, USAGE_FREED, entries, max),
               n = 0;

        for (; page < MODEL_PAGES && n < max; page++)
                if (model->pages[page].allocated && !model->pages[page].refs) {
                        check(n < count && entries[n].start <= page && page < entries[n].end);
                        page = entries[n++].end - 1;
                }
        check(n == count);
        return count;
}

/* As the reclaim thread does; of some only a part, as if they had merged with others since. */
static void step_reclaim(struct model *model)
{
        struct usage_entry entries[12];
        struct usage_extent extents[12];
        size_t count = find_freed(model, entries, 1 + choose(model, 12)), done = 0;

        for (size_t i = 0; i < count; i++) {
                uint32_t pages = entries[i].end - entries[i].start;

                extents[i] = (struct usage_extent){entries[i].start, entries[i].end};
                if (!choose(model, 6))
                        extents[i].start += choose(model, pages);
                naive_remove_freed(model, extents[i].start, extents[i].end);
        }
        while (done < count) {
                size_t removed;

                reserve(model, usage_tree_need(&model->tree));
                removed = usage_tree_remove_freed(&model->tree, extents + done, count - done);
                check(removed >= 1 && removed <= count - done);
                done += removed;
        }
}

static bool change_committed(struct usage_entry *entry, void *argument)
{
        entry->committed = *(bool *)argument ? entry->end - entry->start : 0;
        entry->tags &= (uint8_t)~USAGE_ESTIMATED;
        return true;
}

static bool change_mark(struct usage_entry *entry, void *argument)
{
        (void)argument;
        entry->tags |= USAGE_SCANNING;
        return true;
}

/* As a scan does: where the marks go is not modelled, but nodes have to know of them. */
static void step_mark(struct model *model)
{
        struct usage_entry entry;
        uint32_t start, end;

        choose_range(model, &start, &end);
        if (usage_tree_find(&model->tree, start, &entry))
                usage_tree_change(&model->tree, entry.start, entry.end, change_mark, NULL);
}

/* Leaves kind and references alone: needs no nodes. */
static void step_commit(struct model *model)
{
        bool committed = choose(model, 2);
        uint32_t start, end;

        choose_range(model, &start, &end);
        reserve(model, 0);
        usage_tree_change(&model->tree, start, end, change_committed, &committed);
        for (uint32_t i = start; i < end; i++)
                if (model->pages[i].allocated)
                        model->pages[i].committed = committed;
}

static void step_increase(struct model *model)
{
        uint32_t start, end;

        choose_range(model, &start, &end);
        for (uint32_t i = start; i < end; i++)
                if (model->pages[i].allocated && !model->pages[i].refs)
                        return; /* holdings have no freed entries */
        reserve(model, usage_tree_increase_need(&model->tree, start, end, 1));
        usage_tree_increase(&model->tree, NULL, start, end);
        for (uint32_t i = start; i < end; i++) {
                model->pages[i].allocated = true;
                model->pages[i].refs++;
        }
}

/* ---- after every step --------------------------------------------------------------------------
 */

static void compare_entry(const struct model *model, const struct usage_entry *entry)
{
        uint32_t committed = 0;

        for (uint32_t i = entry->start; i < entry->end; i++) {
                check(model->pages[i].allocated);
                check(model->pages[i].refs == entry->refs);
                check(model->pages[i].kind == usage_entry_kind(entry));
                committed += model->pages[i].committed;
        }
        if (!(entry->tags & USAGE_ESTIMATED))
                check(entry->committed == committed);
}

static void compare(const struct model *model)
{
        const char *broken = usage_tree_validate(&model->tree);
        struct usage_cursor cursor;
        struct usage_entry entry;
        uint32_t page = 0;

        if (broken)
                check_failed(broken, __FILE__, __LINE__, __func__);
        check(usage_tree_count_nodes(&model->tree) == model->nodes.live);
        usage_cursor_init(&cursor, &model->tree, 0);
        while (usage_cursor_next(&cursor, &entry)) {
                for (; page < entry.start; page++)
                        check(!model->pages[page].allocated);
                compare_entry(model, &entry);
                page = entry.end;
        }
        for (; page < MODEL_PAGES; page++)
                check(!model->pages[page].allocated);
}

static void compare_find(struct model *model)
{
        uint32_t page = choose(model, MODEL_PAGES), want = page;
        struct usage_entry entry;
        bool found = usage_tree_find(&model->tree, page, &entry);

        while (want < MODEL_PAGES && !model->pages[want].allocated)
                want++;
        check(found == (want < MODEL_PAGES));
        if (found)
                check(entry.start <= want && want < entry.end);
}

void model_step(struct model *model)
{
        switch (choose(model, 14)) {
        case 0 ... 3:
                step_allocate(model);
                break;
        case 4 ... 7:
                step_refs(model);
                break;
        case 8:
                step_reclaim(model);
                break;
        case 9:
                step_remove(model);
                break;
        case 10:
                step_commit(model);
                break;
        case 11:
                step_decrease(model);
                break;
        case 12:
                step_mark(model);
                break;
        default:
                step_increase(model);
        }
        compare(model);
        compare_find(model);
}

void model_init(struct model *model, unsigned leaf_max, unsigned inner_max, model_draw_fn *draw,
        void *source)
{
        memset(model, 0, sizeof(*model));
        model->draw = draw;
        model->source = source;
        usage_nodes_init_small(&model->nodes, leaf_max, inner_max);
        usage_tree_init(&model->tree, &model->nodes, MODEL_PAGES, MODEL_ALIGNMENT);
}

void model_deinit(struct model *model)
{
        usage_tree_clear(&model->tree);
        check(model->nodes.live == 0);
        usage_nodes_deinit(&model->nodes);
}
