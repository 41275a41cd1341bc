// SPDX-License-Identifier: Apache-2.0
#include "proto/page.h"

#include "support/harness.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 32u

static const struct page_plan plan[] = {
        {.record_size = sizeof(page_word[WORDS]), .capacity = 1},
        {.record_size = sizeof(page_word[3]), .capacity = 10},
};

#define SECTIONS (sizeof(plan) / sizeof(plan[0]))

static struct page_header *new_page(void)
{
        size_t size = page_size(plan, SECTIONS);
        struct page_header *page = calloc(1, size);

        ck_assert_ptr_nonnull(page);
        page_init(page, plan, SECTIONS);
        ck_assert(page_is_valid(page, page_size(plan, SECTIONS)));
        return page;
}

START_TEST(what_was_written_is_read)
{
        const page_word record[3] = {7, 8, 9};
        struct page_header *page = new_page();
        page_word found[3];

        ck_assert_int_eq(page_read(page, 1, 4, found, sizeof(found)), 0);
        page_write(page, 1, 4, record);
        ck_assert_uint_eq(page_used(page, 1), 5);
        ck_assert_int_eq(page_read(page, 1, 4, found, sizeof(found)), 1);
        ck_assert_mem_eq(found, record, sizeof(record));
        ck_assert_int_eq(page_read(page, 1, 3, found, sizeof(found)), 0);
        ck_assert_int_eq(page_read(page, 1, 10, found, sizeof(found)), 0);
        free(page);
}
END_TEST

START_TEST(what_was_taken_away_is_not_there)
{
        const page_word record[3] = {7, 8, 9}, other[3] = {1, 2, 3};
        struct page_header *page = new_page();
        page_word found[3];

        page_write(page, 1, 0, record);
        page_write(page, 1, 0, NULL);
        ck_assert_int_eq(page_read(page, 1, 0, found, sizeof(found)), 0);
        page_write(page, 1, 0, NULL);
        page_write(page, 1, 0, other);
        ck_assert_int_eq(page_read(page, 1, 0, found, sizeof(found)), 1);
        ck_assert_mem_eq(found, other, sizeof(other));
        free(page);
}
END_TEST

START_TEST(a_reader_that_knows_less_gets_the_beginning_and_one_that_knows_more_zeros)
{
        const page_word record[3] = {7, 8, 9}, longer[5] = {7, 8, 9, 0, 0};
        struct page_header *page = new_page();
        page_word found[5] = {1, 1, 1, 1, 1};

        page_write(page, 1, 0, record);
        ck_assert_int_eq(page_read(page, 1, 0, found, sizeof(page_word[2])), 1);
        ck_assert_uint_eq(found[1], 8);
        ck_assert_uint_eq(found[2], 1); /* not touched */
        ck_assert_int_eq(page_read(page, 1, 0, found, sizeof(found)), 1);
        ck_assert_mem_eq(found, longer, sizeof(longer));
        free(page);
}
END_TEST

START_TEST(a_section_that_the_writer_does_not_know_is_empty)
{
        struct page_header *page = new_page();
        page_word found[3];

        ck_assert_uint_eq(page_used(page, 5), 0);
        ck_assert_uint_eq(page_record_size(page, 5), 0);
        ck_assert_int_eq(page_read(page, 5, 0, found, sizeof(found)), 0);
        free(page);
}
END_TEST

START_TEST(a_record_whose_writer_died_in_it_is_not_waited_for)
{
        const page_word record[3] = {7, 8, 9};
        struct page_header *page = new_page();
        page_word found[3];
        _Atomic uint64_t *block;

        page_write(page, 1, 0, record);
        block = (void *)((char *)page + page->sections[1].offset);
        atomic_fetch_add(block, 1);
        ck_assert_int_eq(page_read(page, 1, 0, found, sizeof(found)), -EAGAIN);
        free(page);
}
END_TEST

/* ---- while it is written --------------------------------------------------------------------- */

static atomic_bool stop;

static void *write_on(void *argument)
{
        page_word record[WORDS];

        for (uint64_t round = 1; !atomic_load(&stop); round++) {
                for (size_t i = 0; i < WORDS; i++)
                        record[i] = round * 1000 + i;
                page_write(argument, 0, 0, record);
                /* Who does nothing but write leaves nobody the time to read. */
                for (volatile unsigned i = 0; i < 16 * WORDS; i++)
                        ;
        }
        return NULL;
}

START_TEST(no_reader_sees_a_record_half_written)
{
        int wanted = 5000 / (int)harness_slowness(), seen = 0;
        struct page_header *page = new_page();
        pthread_t writer;

        atomic_store(&stop, false);
        ck_assert_int_eq(pthread_create(&writer, NULL, write_on, page), 0);
        while (seen < wanted) { /* the case has a timeout */
                page_word record[WORDS];
                int r = page_read(page, 0, 0, record, sizeof(record));

                for (size_t i = 0; r > 0 && i < WORDS; i++)
                        ck_assert_uint_eq(record[i], record[0] + i);
                seen += r > 0;
        }
        atomic_store(&stop, true);
        pthread_join(writer, NULL);
        free(page);
}
END_TEST

/* ---- what is no page ------------------------------------------------------------------------- */

static bool is_valid_with(size_t offset, uint64_t value)
{
        size_t size = page_size(plan, SECTIONS);
        struct page_header *page = new_page();
        bool valid;

        memcpy((char *)page + offset, &value, sizeof(value));
        valid = page_is_valid(page, size);
        free(page);
        return valid;
}

START_TEST(a_header_that_points_elsewhere_is_refused)
{
        size_t second = offsetof(struct page_header, sections) + sizeof(struct page_section);
        struct page_header *page = new_page();

        ck_assert(is_valid_with(offsetof(struct page_header, magic), PAGE_MAGIC));
        ck_assert(!is_valid_with(offsetof(struct page_header, magic), 0));
        ck_assert(!is_valid_with(offsetof(struct page_header, section_count), PAGE_SECTIONS + 1));
        ck_assert(!is_valid_with(offsetof(struct page_header, size), 1 << 20));
        for (int bit = 3; bit < 64; bit++)
                if (bit > 12)
                        ck_assert(!is_valid_with(second, UINT64_C(1) << bit));
        ck_assert(!is_valid_with(second, sizeof(*page) + 4));
        ck_assert(!is_valid_with(second, 8));
        ck_assert(!is_valid_with(second + 8, UINT64_MAX / 8));
        ck_assert(!is_valid_with(second + 8, 4));
        ck_assert(!is_valid_with(second + 16, UINT64_MAX / 32 + 2));
        ck_assert(!is_valid_with(second + 16, 11));
        ck_assert(is_valid_with(second + 24, UINT64_MAX)); /* used: only up to the capacity */
        ck_assert(!page_is_valid(page, sizeof(*page) - 1));
        ck_assert(!page_is_valid(page, page_size(plan, SECTIONS) - 8));
        free(page);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("page");
        TCase *page = harness_case(suite, "Page", 30);

        tcase_add_test(page, what_was_written_is_read);
        tcase_add_test(page, what_was_taken_away_is_not_there);
        tcase_add_test(
                page, a_reader_that_knows_less_gets_the_beginning_and_one_that_knows_more_zeros);
        tcase_add_test(page, a_section_that_the_writer_does_not_know_is_empty);
        tcase_add_test(page, a_record_whose_writer_died_in_it_is_not_waited_for);
        tcase_add_test(page, no_reader_sees_a_record_half_written);
        tcase_add_test(page, a_header_that_points_elsewhere_is_refused);
        return harness_run(suite);
}
