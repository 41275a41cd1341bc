// SPDX-License-Identifier: Apache-2.0
/* Journals that are damaged, which is told from what was cut off, and those of other versions. */
#include "journal/fixture.h"

#include "base/cleanup.h"
#include "journal/private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- damaged --------------------------------------------------------------------------------- */

START_TEST(every_flipped_byte_is_damage)
{
        append_many(30);
        for (size_t byte = 0; byte < sizeof(struct entry); byte++) {
                uint8_t *bytes = (uint8_t *)place(11);

                bytes[byte] ^= 0x10;
                assert_reads(11, -EBADMSG);
                bytes[byte] ^= 0x10;
        }
        assert_reads(30, 0);
}
END_TEST

START_TEST(a_record_that_vanished_is_damage)
{
        append_many(30);
        memset(place(11), 0, sizeof(struct entry));
        assert_reads(11, -EBADMSG);
        memset(place(11), 0, 19 * sizeof(struct entry));
        assert_reads(11, -EBADMSG);
}
END_TEST

START_TEST(a_record_in_another_place_is_damage)
{
        append_many(30);
        *place(11) = *place(12);
        assert_reads(11, -EBADMSG);
}
END_TEST

START_TEST(a_count_that_runs_ahead_is_damage)
{
        append_many(30);
        atomic_store(&journal.areas[journal.active].header->count, 31);
        assert_reads(30, -EBADMSG);
}
END_TEST

/* One may be committed and not counted yet; of two the first one was. */
START_TEST(a_count_that_lags_behind_is_damage)
{
        append_many(30);
        atomic_store(&journal.areas[journal.active].header->count, 28);
        assert_reads(29, -EBADMSG);
        atomic_store(&journal.areas[journal.active].header->count, 0);
        assert_reads(1, -EBADMSG);
}
END_TEST

/* The area that is not in use has nothing, and would be read as a journal of nothing. */
START_TEST(no_bit_of_the_header_selects_the_other_area)
{
        uint32_t selector = atomic_load(&journal.header->active);
        struct journal again;

        append_many(30);
        for (unsigned bit = 0; bit < 32; bit++) {
                atomic_store(&journal.header->active, selector ^ UINT32_C(1) << bit);
                ck_assert_int_eq(open_again(&again), -EBADMSG);
        }
        atomic_store(&journal.header->active, selector);
        assert_reads(30, 0);
}
END_TEST

START_TEST(a_damaged_header_is_no_journal_and_can_be_made_one)
{
        struct journal again;
        int fd = fcntl(journal.fd, F_DUPFD_CLOEXEC, 0);

        append_many(30);
        memset(journal.map, 0x55, 64);
        ck_assert_int_eq(open_again(&again), -EBADMSG);
        ck_assert_int_eq(journal_format(&again, &format, fd), 0);
        journal_close(&journal);
        journal = again;
        assert_reads(0, 0);
        append_many(10);
        assert_reads(10, 0);
}
END_TEST

START_TEST(what_is_no_journal_is_refused)
{
        struct journal again;
        int fd = memfd_create("nothing", MFD_CLOEXEC);

        ck_assert_int_eq(journal_open(&again, &format, fd), -EBADMSG);
        ck_assert_int_eq(ftruncate(fd, (off_t)2 * AREA + 4096), 0);
        ck_assert_int_eq(journal_open(&again, &format, fd), -EBADMSG);
        ck_assert_int_eq(ftruncate(fd, 12345), 0);
        ck_assert_int_eq(journal_open(&again, &format, fd), -EBADMSG);
        fd_close(fd);
}
END_TEST

/* ---- versions -------------------------------------------------------------------------------- */

START_TEST(a_newer_one_is_refused_and_left_alone)
{
        uint8_t before[4096 + 320];
        struct journal again;

        append_many(10);
        journal.areas[journal.active].header->version = 4;
        memcpy(before, journal.map, sizeof(before));
        ck_assert_int_eq(open_again(&again), -EPROTONOSUPPORT);
        ck_assert_mem_eq(before, journal.map, sizeof(before));
        journal.areas[journal.active].header->version = 3;
        journal.header->layout++;
        ck_assert_int_eq(open_again(&again), -EPROTONOSUPPORT);
        ck_assert_int_eq(ftruncate(journal.fd, (off_t)4 * AREA), 0);
        ck_assert_int_eq(open_again(&again), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(an_older_one_with_shorter_records_is_read)
{
        const struct journal_format older = {
                .name = "test", .version = 2, .record_size = 16, .area_size = AREA};
        struct entry entry;

        journal_close(&journal);
        ck_assert_int_eq(journal_create(&journal, &older), 0);
        append_many(5);
        {
                struct journal again;

                ck_assert_int_eq(open_again(&again), 0);
                ck_assert(!journal_is_current(&again));
                for (uint32_t i = 0; i < 5; i++) {
                        ck_assert_int_eq(journal_read(&again, i, &entry), 1);
                        ck_assert_uint_eq(entry.number, i);
                        ck_assert_uint_eq(entry.square, (uint64_t)i * i);
                        ck_assert_uint_eq(entry.filler[0] | entry.filler[1], 0);
                }
                ck_assert_int_eq(journal_read(&again, 5, &entry), 0);
                journal_copy_begin(&again);
                entry = make(0);
                ck_assert_int_eq(journal_copy(&again, &entry), 0);
                ck_assert_int_eq(journal_copy_end(&again), 0);
                ck_assert(journal_is_current(&again));
                journal_close(&again);
        }
        assert_reads(1, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("journal_damage");
        TCase *damaged = harness_case(suite, "damaged", 30);
        TCase *versions = harness_case(suite, "versions", 30);

        tcase_add_checked_fixture(damaged, set_up, tear_down);
        tcase_add_test(damaged, every_flipped_byte_is_damage);
        tcase_add_test(damaged, a_record_that_vanished_is_damage);
        tcase_add_test(damaged, a_record_in_another_place_is_damage);
        tcase_add_test(damaged, a_count_that_runs_ahead_is_damage);
        tcase_add_test(damaged, a_count_that_lags_behind_is_damage);
        tcase_add_test(damaged, no_bit_of_the_header_selects_the_other_area);
        tcase_add_test(damaged, a_damaged_header_is_no_journal_and_can_be_made_one);
        tcase_add_test(damaged, what_is_no_journal_is_refused);

        tcase_add_checked_fixture(versions, set_up, tear_down);
        tcase_add_test(versions, a_newer_one_is_refused_and_left_alone);
        tcase_add_test(versions, an_older_one_with_shorter_records_is_read);
        return harness_run(suite);
}
