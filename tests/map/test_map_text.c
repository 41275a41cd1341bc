// SPDX-License-Identifier: Apache-2.0
/* The picture for terminals, and what --range takes. */
#include "map_options.h"
#include "map_text.h"
#include "support/harness.h"

#include <stdlib.h>
#include <string.h>

#define K (UINT64_C(1) << 10)

static struct map_survey survey;

static void add(
        uint64_t first, uint64_t end, enum filemem_kind kind, uint32_t refs, uint64_t committed)
{
        const struct filemem_entry entry = {{first, end}, kind, refs, committed, false};

        map_grid_add(&survey.grid, &entry, NULL, NULL);
}

/* 32 cells of 4 KiB with everything that there can be, in half of them. */
static void start(void)
{
        survey = (struct map_survey){
                .pool = {.name = "default", .size = 128 * K, .capacity = 1024 * K},
                .usage = {.age_ns = 5000000, .exact = true, .stray = 8 * K},
                .asked_stray = true,
                .stray_beyond = 4 * K,
        };
        ck_assert_int_eq(map_grid_init(&survey.grid, (struct filemem_range){0, 128 * K}, 4 * K), 0);
        for (uint64_t kind = 0; kind < FILEMEM_KINDS; kind++) {
                add(kind * 8 * K, kind * 8 * K + 4 * K, (enum filemem_kind)kind, 1, 4 * K);
                add(kind * 8 * K + 4 * K, kind * 8 * K + 8 * K, (enum filemem_kind)kind, 1, 0);
        }
        add(48 * K, 56 * K, FILEMEM_SYSTEM, 0, 0);
        add(60 * K, 62 * K, FILEMEM_TMPFS, 1, 0);
        add(64 * K, 65 * K, FILEMEM_TMPFS, 1, 1 * K);
        add(68 * K, 69 * K, FILEMEM_TMPFS, 1, 0);
        add(72 * K, 76 * K, FILEMEM_TMPFS, 1, 1 * K);
        add(76 * K, 80 * K, FILEMEM_TMPFS, 1, 3 * K);
        survey.grid.cells[20].stray = 4 * K;
        for (size_t i = 0; i < survey.grid.count; i++)
                map_cell_merge(&survey.total, &survey.grid.cells[i]);
        map_gaps_init(&survey.gaps, 4 * K, 2048 * K);
        map_gaps_add(&survey.gaps, (struct filemem_range){56 * K, 60 * K});
        map_gaps_add(&survey.gaps, (struct filemem_range){80 * K, 128 * K});
}

static void stop(void)
{
        map_grid_deinit(&survey.grid);
}

static void assert_looks(bool colour, bool unicode, bool bare, const char *expected)
{
        const struct map_look look = {16, colour, unicode, false, bare};
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        map_text_write(&survey, &look, file);
        fclose(file);
        ck_assert_str_eq(text, expected);
        free(text);
}

#define NUMBERS                                                                                    \
        "\n"                                                                                       \
        "Of 52K free, this much can be allocated as\n"                                             \
        "  single pages     52K  100%\n"                                                           \
        "  64K each          0B    0%\n"                                                           \
        "  2M each           0B    0%\n"                                                           \
        "  one range        48K   92%\n"                                                           \
        "Gaps by size; the largest of 2 is 48K at 0x14000\n"                                       \
        "  below 64K        52K  in 2\n"

START_TEST(without_colour_letters_tell_the_kinds)
{
        assert_looks(false, false, false,
                "Pool default: 0 to 128K of 1M, a cell is 4K\n"
                "\n"
                "      0 SsAaPpTtRrMmxx.t  78%\n"
                "    64K TttT!...........  15%\n"
                "\n"
                "  Ss System     8K held, 4K committed\n"
                "  Aa Anonymous  8K held, 4K committed\n"
                "  Pp PageCache  8K held, 4K committed\n"
                "  Tt Tmpfs      20K held, 9K committed\n"
                "  Rr Ramdiskfs  8K held, 4K committed\n"
                "  Mm Mapped     8K held, 4K committed\n"
                "  x  freed      8K not given back to the kernel yet\n"
                "  !  stray      4K committed outside every range\n"
                "  !  stray      4K more beyond what is shown\n"
                "  .  free       52K\n"
                "Capital letters: half of it or more is committed.\n"
                "At the end of a row: how much of it is held. Committed was counted 5ms "
                "ago.\n" NUMBERS);
}
END_TEST

START_TEST(blocks_and_colours_tell_kind_and_share)
{
        assert_looks(true, true, true,
                "      0 \033[38;5;244m█░\033[38;5;32m█░\033[38;5;214m█░\033[38;5;36m█░"
                "\033[38;5;175m█░\033[38;5;75m█░\033[38;5;244m××\033[m·\033[38;5;36m░\033[m  78%\n"
                "    64K \033[38;5;36m▄▂▒▓\033[38;5;160m!\033[m···········  15%\n");
}
END_TEST

START_TEST(a_locale_without_blocks_has_coloured_letters)
{
        assert_looks(true, false, true,
                "      0 \033[38;5;244mSs\033[38;5;32mAa\033[38;5;214mPp\033[38;5;36mTt"
                "\033[38;5;175mRr\033[38;5;75mMm\033[38;5;244mxx\033[m.\033[38;5;36mt\033[m  78%\n"
                "    64K \033[38;5;36mTttT\033[38;5;160m!\033[m...........  15%\n");
}
END_TEST

START_TEST(the_last_row_may_be_short)
{
        survey.grid.count = 18;
        survey.grid.range.end = 72 * K;
        assert_looks(false, true, true,
                "      0 SsAaPpTtRrMm××·t  78%\n"
                "    64K Tt                25%\n");
}
END_TEST

START_TEST(who_may_not_look_is_told_that)
{
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);
        const struct map_look look = {16, false, false, false, false};

        survey.asked_stray = false;
        survey.total.stray = survey.stray_beyond = 0;
        survey.usage.age_ns = UINT64_MAX;
        map_text_write(&survey, &look, file);
        fclose(file);
        ck_assert_ptr_nonnull(strstr(text, "  !  stray      8K in the pool; where it lies is seen "
                                           "only by who may join the pool\n"));
        ck_assert_ptr_nonnull(strstr(text, "held. Committed was never counted.\n"));
        free(text);
}
END_TEST

/* ---- words ------------------------------------------------------------------------------------
 */

static void assert_range(const char *text, uint64_t first, uint64_t end)
{
        struct filemem_range range = {0};

        ck_assert_msg(map_range_parse(text, &range), "%s", text);
        ck_assert_msg(range.start == first && range.end == end, "%s", text);
}

START_TEST(ranges_are_said_in_many_ways)
{
        assert_range("0-4096", 0, 4096);
        assert_range("16M-1G", 16 * K * K, K * K * K);
        assert_range("0x200000-0X400000", 0x200000, 0x400000);
        assert_range("1.5K-2K", 1536, 2048);
        assert_range("1G-", K * K * K, UINT64_MAX);
        assert_range("-64M", 0, 64 * K * K);
        assert_range("-", 0, UINT64_MAX);
}
END_TEST

START_TEST(nonsense_is_no_range)
{
        static const char *const nonsense[] = {"", "4K", "4K-4K", "8K-4K", "-0", "a-b", "1-2-3",
                "1 - 2", "+1-2", "1.5.5-9", "0x-1", "1KK-2M", "99999999999999999999-", "16E-",
                "--1"};
        struct filemem_range range = {7, 8};

        for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
                ck_assert_msg(!map_range_parse(nonsense[i], &range), "%s", nonsense[i]);
        ck_assert_uint_eq(range.start, 7);
}
END_TEST

START_TEST(rows_are_a_small_number)
{
        size_t rows = 0;

        ck_assert(map_rows_parse("1000", &rows));
        ck_assert_uint_eq(rows, 1000);
        ck_assert(!map_rows_parse("0", &rows));
        ck_assert(!map_rows_parse("1001", &rows));
        ck_assert(!map_rows_parse("-1", &rows));
        ck_assert(!map_rows_parse("5x", &rows));
        ck_assert(!map_rows_parse("", &rows));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("map text");
        TCase *tests = harness_case(suite, "picture", 30);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, without_colour_letters_tell_the_kinds);
        tcase_add_test(tests, blocks_and_colours_tell_kind_and_share);
        tcase_add_test(tests, a_locale_without_blocks_has_coloured_letters);
        tcase_add_test(tests, the_last_row_may_be_short);
        tcase_add_test(tests, who_may_not_look_is_told_that);
        tests = harness_case(suite, "words", 30);
        tcase_add_test(tests, ranges_are_said_in_many_ways);
        tcase_add_test(tests, nonsense_is_no_range);
        tcase_add_test(tests, rows_are_a_small_number);
        return harness_run(suite);
}
