// SPDX-License-Identifier: Apache-2.0
/* Cells, and the gaps between ranges, as numbers. */
#include "map/gaps.h"
#include "map/grid.h"
#include "map/stored.h"
#include "map/svg.h"
#include "support/harness.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)

static struct map_grid grid;

static void start(uint64_t first, uint64_t end, uint64_t cell)
{
        ck_assert_int_eq(map_grid_init(&grid, (struct filemem_range){first, end}, cell), 0);
}

static void add(uint64_t first, uint64_t end, enum filemem_kind kind, uint32_t refs,
        uint64_t committed, map_stored *stored)
{
        const struct filemem_entry entry = {{first, end}, kind, refs, committed, false};

        map_grid_add(&grid, &entry, stored, NULL);
}

START_TEST(cells_are_pages_times_a_power_of_two)
{
        ck_assert_uint_eq(map_cell_size(16 * M, 4 * K, 1024), 16 * K);
        ck_assert_uint_eq(map_cell_size(16 * M + 4 * K, 4 * K, 1024), 32 * K);
        ck_assert_uint_eq(map_cell_size(4 * K, 4 * K, 1024), 4 * K);
        ck_assert_uint_eq(map_cell_size(UINT64_C(1) << 62, 4 * K, 1), UINT64_C(1) << 62);
}
END_TEST

START_TEST(a_range_is_divided_among_its_cells)
{
        start(0, 40 * K, 16 * K);
        ck_assert_uint_eq(grid.count, 3);
        ck_assert_uint_eq(map_grid_range(&grid, 2).end, 40 * K);
        add(8 * K, 36 * K, FILEMEM_TMPFS, 2, 28 * K, NULL);
        ck_assert_uint_eq(grid.cells[0].held[FILEMEM_TMPFS], 8 * K);
        ck_assert_uint_eq(grid.cells[1].held[FILEMEM_TMPFS], 16 * K);
        ck_assert_uint_eq(grid.cells[2].held[FILEMEM_TMPFS], 4 * K);
        ck_assert_uint_eq(grid.cells[2].committed[FILEMEM_TMPFS], 4 * K);
        ck_assert_uint_eq(grid.cells[1].refs, 2);
        ck_assert(!grid.cells[1].estimated);
        map_grid_deinit(&grid);
}
END_TEST

START_TEST(what_is_outside_of_the_grid_is_left_out)
{
        start(16 * K, 32 * K, 16 * K);
        add(0, 16 * K, FILEMEM_TMPFS, 1, 0, NULL);
        add(32 * K, 36 * K, FILEMEM_TMPFS, 1, 0, NULL);
        ck_assert_uint_eq(grid.cells[0].entries, 0);
        add(12 * K, 36 * K, FILEMEM_TMPFS, 1, 0, NULL);
        ck_assert_uint_eq(grid.cells[0].held[FILEMEM_TMPFS], 16 * K);
        map_grid_deinit(&grid);
}
END_TEST

static int64_t stored_in_the_first_cell(void *context, struct filemem_range range)
{
        (void)context;
        return range.start == 0 ? (int64_t)(range.end - range.start) : 0;
}

START_TEST(the_kernel_says_which_part_is_committed)
{
        start(0, 32 * K, 16 * K);
        add(0, 32 * K, FILEMEM_ANONYMOUS, 1, 16 * K, stored_in_the_first_cell);
        ck_assert_uint_eq(grid.cells[0].committed[FILEMEM_ANONYMOUS], 16 * K);
        ck_assert_uint_eq(grid.cells[1].committed[FILEMEM_ANONYMOUS], 0);
        ck_assert(!grid.cells[0].estimated);
        map_grid_deinit(&grid);
}
END_TEST

START_TEST(without_it_a_part_is_estimated)
{
        start(0, 32 * K, 16 * K);
        add(0, 32 * K, FILEMEM_ANONYMOUS, 1, 16 * K, NULL);
        ck_assert_uint_eq(grid.cells[1].committed[FILEMEM_ANONYMOUS], 8 * K);
        ck_assert(grid.cells[1].estimated);
        map_grid_deinit(&grid);
}
END_TEST

START_TEST(a_cell_is_what_most_of_it_is)
{
        start(0, 64 * K, 64 * K);
        ck_assert_int_eq(map_cell_content(&grid.cells[0]), MAP_FREE);
        add(0, 4 * K, FILEMEM_ANONYMOUS, 0, 4 * K, NULL);
        ck_assert_int_eq(map_cell_content(&grid.cells[0]), MAP_FREED);
        add(4 * K, 12 * K, FILEMEM_MAPPED, 1, 0, NULL);
        ck_assert_int_eq(map_cell_content(&grid.cells[0]), FILEMEM_MAPPED);
        add(12 * K, 24 * K, FILEMEM_PAGE_CACHE, UINT32_MAX, 0, NULL);
        ck_assert_int_eq(map_cell_content(&grid.cells[0]), FILEMEM_PAGE_CACHE);
        ck_assert_uint_eq(grid.cells[0].preparing, 12 * K);
        ck_assert_uint_eq(grid.cells[0].refs, 1);
        grid.cells[0].stray = 4 * K;
        ck_assert_int_eq(map_cell_content(&grid.cells[0]), MAP_STRAY);
        map_grid_deinit(&grid);
}
END_TEST

/* A daemon that is newer than this, or broken. */
START_TEST(strange_entries_do_no_harm)
{
        start(0, 32 * K, 16 * K);
        add(0, UINT64_MAX, (enum filemem_kind)77, 1, UINT64_MAX, NULL);
        ck_assert_uint_eq(grid.cells[1].held[FILEMEM_SYSTEM], 16 * K);
        ck_assert_uint_eq(grid.cells[1].committed[FILEMEM_SYSTEM], 16 * K);
        map_grid_deinit(&grid);
}
END_TEST

/* ---- gaps -------------------------------------------------------------------------------------
 */

START_TEST(gaps_say_what_fits)
{
        struct map_gaps gaps;

        map_gaps_init(&gaps, 4 * K, 2 * M);
        map_gaps_add(&gaps, (struct filemem_range){4 * K, 4 * K});
        ck_assert_uint_eq(gaps.count, 0);
        map_gaps_add(&gaps, (struct filemem_range){4 * K, 72 * K});
        map_gaps_add(&gaps, (struct filemem_range){76 * K, 80 * K});
        ck_assert_uint_eq(gaps.bytes, 72 * K);
        ck_assert_uint_eq(gaps.fits_64k, 64 * K);
        ck_assert_uint_eq(gaps.fits_huge, 0);
        ck_assert_uint_eq(gaps.largest_fit, 68 * K);
        map_gaps_add(&gaps, (struct filemem_range){1 * M, 7 * M});
        ck_assert_uint_eq(gaps.fits_huge, 4 * M);
        ck_assert_uint_eq(gaps.largest_fit, 5 * M);
        ck_assert_uint_eq(gaps.largest.start, 1 * M);
        ck_assert_uint_eq(gaps.class_count[0], 1);
        ck_assert_uint_eq(gaps.class_count[1], 1);
        ck_assert_uint_eq(gaps.class_bytes[2], 6 * M);
}
END_TEST

/* From 2 MiB up an allocation starts at a multiple of it: here there is none with enough behind. */
START_TEST(a_gap_without_a_hugepage_has_less_than_one)
{
        struct map_gaps gaps;

        map_gaps_init(&gaps, 4 * K, 2 * M);
        map_gaps_add(&gaps, (struct filemem_range){1 * M, 4 * M - 4 * K});
        ck_assert_uint_eq(gaps.largest_fit, 2 * M - 4 * K);
        ck_assert_uint_eq(gaps.fits_huge, 0);
}
END_TEST

/* ---- the kernel -------------------------------------------------------------------------------
 */

START_TEST(stored_bytes_are_counted_in_a_file_that_may_only_be_read)
{
        int file = memfd_create("map", MFD_CLOEXEC), reader;
        char path[64];

        ck_assert_int_eq(ftruncate(file, 64L * 4096), 0);
        ck_assert_int_eq(pwrite(file, "x", 1, 3L * 4096), 1);
        ck_assert_int_eq(pwrite(file, "x", 1, 9L * 4096), 1);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
        reader = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(reader, 0);
        ck_assert_int_eq(map_stored_bytes(reader, (struct filemem_range){0, 64UL * 4096}), 8192);
        ck_assert_int_eq(map_stored_bytes(reader, (struct filemem_range){0, 8UL * 4096}), 4096);
        ck_assert_int_eq(
                map_stored_bytes(reader, (struct filemem_range){4UL * 4096, 9UL * 4096}), 0);
        ck_assert_int_lt(map_stored_bytes(-1, (struct filemem_range){0, 4096}), 0);
        close(reader);
        close(file);
}
END_TEST

/* ---- SVG --------------------------------------------------------------------------------------
 */

static char *draw(const struct map_survey *survey)
{
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(map_svg_write(survey, NULL, 2, file), 0);
        fclose(file);
        return text;
}

START_TEST(a_name_is_text_in_svg_whatever_it_is)
{
        struct map_survey survey = {
                .pool = {.name = "<&\"'>\001", .capacity = 64 * K, .size = 64 * K}};
        char *text;

        start(0, 64 * K, 16 * K);
        survey.grid = grid;
        text = draw(&survey);
        ck_assert_ptr_nonnull(strstr(text, ">Pool &lt;&amp;&quot;&#39;&gt;?</text>"));
        free(text);
        map_grid_deinit(&grid);
}
END_TEST

/* German has decimal commas, and may not be installed: then this compares little. */
START_TEST(svg_has_decimal_points_in_every_language)
{
        struct map_survey survey = {.pool = {.name = "p", .capacity = 64 * K, .size = 64 * K}};
        char *text, *german;

        start(0, 64 * K, 64 * K);
        add(0, 20 * K, FILEMEM_TMPFS, 1, 8 * K, NULL);
        survey.grid = grid;
        text = draw(&survey);
        ck_assert_ptr_nonnull(strstr(text, "3.75"));
        setlocale(LC_ALL, "de_DE.UTF-8");
        german = draw(&survey);
        ck_assert_str_eq(german, text);
        setlocale(LC_ALL, "C");
        free(text);
        free(german);
        map_grid_deinit(&grid);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("map grid");
        TCase *tests = harness_case(suite, "cells", 30);

        tcase_add_test(tests, cells_are_pages_times_a_power_of_two);
        tcase_add_test(tests, a_range_is_divided_among_its_cells);
        tcase_add_test(tests, what_is_outside_of_the_grid_is_left_out);
        tcase_add_test(tests, the_kernel_says_which_part_is_committed);
        tcase_add_test(tests, without_it_a_part_is_estimated);
        tcase_add_test(tests, a_cell_is_what_most_of_it_is);
        tcase_add_test(tests, strange_entries_do_no_harm);
        tests = harness_case(suite, "gaps", 30);
        tcase_add_test(tests, gaps_say_what_fits);
        tcase_add_test(tests, a_gap_without_a_hugepage_has_less_than_one);
        tests = harness_case(suite, "kernel", 30);
        tcase_add_test(tests, stored_bytes_are_counted_in_a_file_that_may_only_be_read);
        tests = harness_case(suite, "svg", 30);
        tcase_add_test(tests, a_name_is_text_in_svg_whatever_it_is);
        tcase_add_test(tests, svg_has_decimal_points_in_every_language);
        return harness_run(suite);
}
