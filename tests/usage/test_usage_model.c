// SPDX-License-Identifier: Apache-2.0
/*
 * The usage tree against a naive array of pages: random operations, and after every one the whole
 * tree is validated and compared page by page. With tiny nodes splits and joins happen all the
 * time. Every operation has exactly the nodes reserved that it says it needs, so one that takes
 * more aborts.
 *
 * FILEMEM_TEST_STEPS sets the number of steps in all.
 */
#include "support/harness.h"

#include "usage/usage_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES     512u
#define ALIGNMENT 16u
#define STEPS     1000000u

/* ck_assert() makes a system call each time, which here would be nearly all of the time. */
#define require(condition)                                                                         \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        ck_abort_msg("%s", #condition);                                            \
        } while (0)

struct model_page {
        uint32_t refs;
        uint8_t kind;
        bool allocated;
        bool committed;
};

struct model {
        struct usage_nodes nodes;
        struct usage_tree tree;
        struct model_page pages[PAGES];
        uint64_t random;
};

static const struct {
        unsigned leaf_max;
        unsigned inner_max;
        uint64_t seed;
} sizes[] = {
        {4, 4, 88172645463325252u},
        {5, 4, 7},
        {7, 5, 1234567},
        {59, 40, 99},
};

static uint32_t draw(struct model *model, uint32_t below)
{
        model->random ^= model->random << 13;
        model->random ^= model->random >> 7;
        model->random ^= model->random << 17;
        return (uint32_t)(model->random % below);
}

static void draw_range(struct model *model, uint32_t *start, uint32_t *end)
{
        *start = draw(model, PAGES);
        *end = *start + 1 + draw(model, draw(model, 8) ? 24 : PAGES);
        if (*end > PAGES)
                *end = PAGES;
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
        require(usage_nodes_reserve(&model->nodes, need) == 0);
}

/* ---- the naive ones ----------------------------------------------------------------------------
 */

static bool naive_gap(const struct model *model, uint32_t length, uint32_t alignment, uint32_t *ret)
{
        for (uint32_t start = 0; start + length <= PAGES; start += alignment) {
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
        bool aligned = !draw(model, 4);
        uint32_t length = aligned ? ALIGNMENT + draw(model, 40) : 1 + draw(model, 20);
        struct usage_entry entry = {.refs = 1, .tags = (uint8_t)draw(model, 3)};
        uint32_t want = 0;
        bool found = naive_gap(model, length, aligned ? ALIGNMENT : 1, &want);

        require(usage_tree_find_gap(&model->tree, length, aligned, &entry.start) == found);
        if (!found)
                return;
        require(entry.start == want);
        entry.end = entry.start + length;
        reserve(model, usage_tree_need(&model->tree));
        usage_tree_insert(&model->tree, &entry);
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

static void step_refs(struct model *model)
{
        int change = draw(model, 3) ? -1 : 1;
        uint32_t start, end;

        draw_range(model, &start, &end);
        if (!all_have_refs(model, start, end))
                return;
        reserve(model, usage_tree_need(&model->tree));
        usage_tree_change(&model->tree, start, end, change_refs, &change);
        for (uint32_t i = start; i < end; i++) {
                model->pages[i].refs = (uint32_t)((int)model->pages[i].refs + change);
                if (!model->pages[i].refs)
                        model->pages[i].kind = KIND_SYSTEM;
        }
}

static bool change_remove_freed(struct usage_entry *entry, void *argument)
{
        (void)argument;
        return entry->refs > 0;
}

/* The lowest freed entry from a random page on, or everything freed in a range. */
static void step_reclaim(struct model *model)
{
        uint32_t start, end, want;
        struct usage_entry entry;
        bool found;

        draw_range(model, &start, &end);
        for (want = start; want < PAGES; want++)
                if (model->pages[want].allocated && !model->pages[want].refs)
                        break;
        found = usage_tree_find_tagged(&model->tree, start, USAGE_FREED, &entry);
        require(found == (want < PAGES));
        if (!found)
                return;
        require(entry.start <= want && want < entry.end);
        if (draw(model, 2)) {
                start = entry.start;
                end = entry.end;
        }
        reserve(model, usage_tree_need(&model->tree));
        usage_tree_change(&model->tree, start, end, change_remove_freed, NULL);
        for (uint32_t i = start; i < end; i++)
                if (!model->pages[i].refs)
                        model->pages[i] = (struct model_page){0};
}

static bool change_committed(struct usage_entry *entry, void *argument)
{
        entry->committed = *(bool *)argument ? entry->end - entry->start : 0;
        entry->tags &= (uint8_t)~USAGE_ESTIMATED;
        return true;
}

/* Leaves kind and references alone: needs no nodes. */
static void step_commit(struct model *model)
{
        bool committed = draw(model, 2);
        uint32_t start, end;

        draw_range(model, &start, &end);
        reserve(model, 0);
        usage_tree_change(&model->tree, start, end, change_committed, &committed);
        for (uint32_t i = start; i < end; i++)
                if (model->pages[i].allocated)
                        model->pages[i].committed = committed;
}

static void step_increase(struct model *model)
{
        uint32_t start, end;

        draw_range(model, &start, &end);
        for (uint32_t i = start; i < end; i++)
                if (model->pages[i].allocated && !model->pages[i].refs)
                        return; /* holdings have no freed entries */
        reserve(model, usage_tree_increase_need(&model->tree, start, end));
        usage_tree_increase(&model->tree, start, end);
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
                require(model->pages[i].allocated);
                require(model->pages[i].refs == entry->refs);
                require(model->pages[i].kind == usage_entry_kind(entry));
                committed += model->pages[i].committed;
        }
        if (!(entry->tags & USAGE_ESTIMATED))
                require(entry->committed == committed);
}

static void compare(const struct model *model)
{
        const char *broken = usage_tree_validate(&model->tree);
        struct usage_cursor cursor;
        struct usage_entry entry;
        uint32_t page = 0;

        if (broken)
                ck_abort_msg("%s", broken);
        require(usage_tree_count_nodes(&model->tree) == model->nodes.live);
        usage_cursor_init(&cursor, &model->tree, 0);
        while (usage_cursor_next(&cursor, &entry)) {
                for (; page < entry.start; page++)
                        require(!model->pages[page].allocated);
                compare_entry(model, &entry);
                page = entry.end;
        }
        for (; page < PAGES; page++)
                require(!model->pages[page].allocated);
}

static void compare_find(struct model *model)
{
        uint32_t page = draw(model, PAGES), want = page;
        struct usage_entry entry;
        bool found = usage_tree_find(&model->tree, page, &entry);

        while (want < PAGES && !model->pages[want].allocated)
                want++;
        require(found == (want < PAGES));
        if (found)
                require(entry.start <= want && want < entry.end);
}

static void step(struct model *model)
{
        switch (draw(model, 12)) {
        case 0 ... 3:
                step_allocate(model);
                break;
        case 4 ... 7:
                step_refs(model);
                break;
        case 8:
        case 9:
                step_reclaim(model);
                break;
        case 10:
                step_commit(model);
                break;
        default:
                step_increase(model);
        }
        compare(model);
        compare_find(model);
}

static unsigned long steps(void)
{
        const char *text = getenv("FILEMEM_TEST_STEPS");
        unsigned long all = text ? strtoul(text, NULL, 10) : STEPS / (5 * harness_slowness());

        if (!text && harness_slowness() == 1)
                all = STEPS;
        return all / (sizeof(sizes) / sizeof(sizes[0]));
}

START_TEST(the_tree_is_what_the_array_is)
{
        static struct model model;
        unsigned long count = steps();

        memset(&model, 0, sizeof(model));
        usage_nodes_init_small(&model.nodes, sizes[_i].leaf_max, sizes[_i].inner_max);
        usage_tree_init(&model.tree, &model.nodes, PAGES, ALIGNMENT);
        model.random = sizes[_i].seed;
        for (unsigned long i = 0; i < count; i++)
                step(&model);
        printf("%lu steps with nodes of %u and %u, validated after each\n", count,
                sizes[_i].leaf_max, sizes[_i].inner_max);
        usage_tree_clear(&model.tree);
        usage_nodes_deinit(&model.nodes);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("usage_model");
        TCase *model = harness_case(suite, "model", 100);

        tcase_add_loop_test(
                model, the_tree_is_what_the_array_is, 0, sizeof(sizes) / sizeof(sizes[0]));
        return harness_run(suite);
}
