// SPDX-License-Identifier: Apache-2.0
/*
 * The first-fit table of the ancestor. Compared: every row's offset. Its alignments are the page
 * and 2 MiB; here the second is what `aligned` means.
 */
#include "support/harness.h"

#include "usage/usage_tree.h"

#include <jansson.h>

#define PAGE     4096
#define HUGEPAGE 512u /* pages */
#define CAPACITY (1u << 20)

static json_t *load(void)
{
        json_error_t error;
        json_t *file = json_load_file(FILEMEM_VECTORS "/first_fit.json", 0, &error);

        ck_assert_msg(file, "%s", error.text);
        return file;
}

static uint32_t page_at(const json_t *row, size_t index)
{
        return (uint32_t)(json_integer_value(json_array_get(row, index)) / PAGE);
}

static void add_segments(struct usage_tree *tree, const json_t *segments)
{
        const json_t *segment;
        size_t i;

        for (i = 0; (segment = json_array_get(segments, i)); i++) {
                struct usage_entry entry = {
                        .start = page_at(segment, 0),
                        .end = page_at(segment, 1),
                        .refs = (uint32_t)json_integer_value(json_array_get(segment, 2)),
                        .tags = KIND_ANONYMOUS,
                };

                if (!entry.refs)
                        entry.tags = KIND_SYSTEM | USAGE_FREED;
                ck_assert_int_eq(usage_nodes_reserve(tree->nodes, usage_tree_need(tree)), 0);
                usage_tree_insert(tree, &entry);
                ck_assert_ptr_null(usage_tree_validate(tree));
        }
}

static void replay(const json_t *row)
{
        uint32_t length = page_at(row, 2), alignment = page_at(row, 3), start = 0;
        struct usage_nodes nodes;
        struct usage_tree tree;

        ck_assert(alignment == 1 || alignment == HUGEPAGE);
        usage_nodes_init(&nodes);
        usage_tree_init(&tree, &nodes, CAPACITY, HUGEPAGE);
        add_segments(&tree, json_array_get(row, 1));
        ck_assert(usage_tree_find_gap(&tree, length, alignment != 1, &start));
        ck_assert_msg(start == page_at(row, 4), "%s: found page %u",
                json_string_value(json_array_get(row, 0)), start);
        usage_tree_clear(&tree);
        usage_nodes_deinit(&nodes);
}

START_TEST(every_row_of_the_ancestor_is_found_where_it_was)
{
        json_t *file = load();
        const json_t *rows = json_object_get(file, "rows"), *row;
        size_t i;

        ck_assert_uint_eq(json_array_size(rows), 7);
        for (i = 0; (row = json_array_get(rows, i)); i++)
                replay(row);
        json_decref(file);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("first_fit");
        TCase *vectors = harness_case(suite, "vectors", 10);

        tcase_add_test(vectors, every_row_of_the_ancestor_is_found_where_it_was);
        return harness_run(suite);
}
