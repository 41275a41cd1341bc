// SPDX-License-Identifier: Apache-2.0
/*
 * Journals that their writer left at any moment: what was committed is read, and what is damaged is
 * told from what was cut off.
 */
#include "support/harness.h"

#include "base/cleanup.h"
#include "base/crash.h"
#include "journal/journal.h"
#include "journal/private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct entry {
        struct journal_mark mark;
        uint32_t number;
        uint64_t square;
        uint64_t filler[2];
};

#define AREA (1u << 20)
#define FULL (AREA / sizeof(struct entry))

static const struct journal_format format = {
        .name = "test", .version = 3, .record_size = sizeof(struct entry), .area_size = AREA};

static struct entry make(uint32_t number)
{
        return (struct entry){.number = number,
                .square = (uint64_t)number * number,
                .filler = {UINT64_MAX - number, 7}};
}

static struct journal journal;

static void set_up(void)
{
        ck_assert_int_eq(journal_create(&journal, &format), 0);
}

static void tear_down(void)
{
        journal_close(&journal);
}

static int append(uint32_t number)
{
        const struct entry entry = make(number);

        return journal_append(&journal, &entry);
}

static void append_many(uint32_t count)
{
        for (uint32_t i = 0; i < count; i++)
                ck_assert_int_eq(append(i), 0);
}

/* As whoever gets the memfd next. */
static int open_again(struct journal *again)
{
        int fd = fcntl(journal.fd, F_DUPFD_CLOEXEC, 0);
        int r;

        ck_assert_int_ge(fd, 0);
        r = journal_open(again, &format, fd);
        if (r < 0)
                fd_close(fd);
        return r;
}

/* How many records are read, each of which has to be right; *ret_end is what ended it. */
static uint64_t count_read(int *ret_end)
{
        struct journal again;
        struct entry entry;
        uint64_t count = 0;

        ck_assert_int_eq(open_again(&again), 0);
        while ((*ret_end = journal_read(&again, count, &entry)) == 1) {
                struct entry expected = make((uint32_t)count);

                expected.mark = entry.mark;
                ck_assert_mem_eq(&entry, &expected, sizeof(entry));
                count++;
        }
        journal_close(&again);
        return count;
}

static void assert_reads(uint64_t count, int end)
{
        int found;

        ck_assert_uint_eq(count_read(&found), count);
        ck_assert_int_eq(found, end);
}

static struct entry *place(uint32_t index)
{
        return (struct entry *)(void *)journal.areas[journal.active].records + index;
}

/* ---- whole ones ------------------------------------------------------------------------------ */

START_TEST(what_was_appended_is_read)
{
        assert_reads(0, 0);
        append_many(5000);
        assert_reads(5000, 0);
}
END_TEST

START_TEST(it_goes_on_where_it_was_left)
{
        struct journal again;

        append_many(3000);
        ck_assert_int_eq(open_again(&again), 0);
        ck_assert(journal_is_current(&again));
        journal_continue(&again, 3000);
        journal_close(&journal);
        journal = again;
        for (uint32_t i = 3000; i < 6000; i++)
                ck_assert_int_eq(append(i), 0);
        assert_reads(6000, 0);
}
END_TEST

START_TEST(a_copy_takes_its_place)
{
        append_many(100);
        for (unsigned round = 0; round < 5; round++) {
                ck_assert_int_eq(journal_clear(&journal), 0);
                journal_copy_begin(&journal);
                for (uint32_t i = 0; i < 50 + round; i++) {
                        const struct entry entry = make(i);

                        ck_assert_int_eq(journal_copy(&journal, &entry), 0);
                        ck_assert_int_eq(append((uint32_t)journal_count(&journal)), 0);
                }
                ck_assert_int_eq(journal_copy_end(&journal), 0);
                assert_reads(50 + round, 0);
        }
}
END_TEST

START_TEST(a_copy_that_is_not_ended_is_none)
{
        const struct entry other = make(77);

        append_many(10);
        journal_copy_begin(&journal);
        ck_assert_int_eq(journal_copy(&journal, &other), 0);
        assert_reads(10, 0);
        journal_copy_abandon(&journal);
        assert_reads(10, 0);
}
END_TEST

/* ---- cut off --------------------------------------------------------------------------------- */

START_TEST(a_torn_record_is_none)
{
        const struct entry entry = make(20);

        append_many(20);
        ck_assert_int_eq(append(20), 0);
        atomic_store(&journal.areas[journal.active].header->count, 20);
        for (size_t bytes = 4; bytes <= sizeof(entry); bytes++) {
                struct entry torn = {0};

                memcpy((char *)&torn + 4, (const char *)&entry + 4, bytes - 4);
                *place(20) = torn;
                assert_reads(20, 0);
        }
}
END_TEST

START_TEST(a_committed_record_counts_before_it_is_counted)
{
        append_many(21);
        atomic_store(&journal.areas[journal.active].header->count, 20);
        assert_reads(21, 0);
}
END_TEST

/* The n-th step of the writer is its last, for all n. Returns whether it came to that. */
static bool die_at(long n, uint32_t records)
{
        pid_t child = fork();
        int status;

        ck_assert_int_ge(child, 0);
        if (child == 0) {
                crash_arm(n);
                for (uint32_t i = 0; i < records; i++)
                        append(i);
                journal_copy_begin(&journal);
                for (uint32_t i = 0; i < records / 2; i++) {
                        const struct entry entry = make(i);

                        journal_copy(&journal, &entry);
                }
                journal_copy_end(&journal);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

START_TEST(whoever_writes_may_die_at_any_step)
{
        uint64_t before = 0, most = 0, last = UINT64_MAX;
        int end;

        for (long n = 1;; n++) {
                bool died;

                journal_close(&journal);
                ck_assert_int_eq(journal_create(&journal, &format), 0);
                died = die_at(n, 12);
                last = count_read(&end);
                ck_assert_int_eq(end, 0);
                ck_assert(last == before || last == before + 1 || last == 6);
                before = last;
                most = last > most ? last : most;
                if (!died)
                        break;
        }
        ck_assert_uint_eq(most, 12);
        ck_assert_uint_eq(last, 6);
}
END_TEST

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

/* ---- no memory ------------------------------------------------------------------------------- */

START_TEST(where_it_could_not_grow_it_has_failed)
{
        const struct entry entry = make(0);

        append_many(FULL);
        ck_assert(!journal_has_failed(&journal));
        ck_assert_int_eq(append(FULL), -ENOSPC);
        ck_assert(journal_has_failed(&journal));
        assert_reads(FULL, -EBADMSG);
        journal_copy_begin(&journal);
        ck_assert_int_eq(journal_copy(&journal, &entry), 0);
        ck_assert_int_eq(journal_copy_end(&journal), 0);
        ck_assert(!journal_has_failed(&journal));
        assert_reads(1, 0);
}
END_TEST

START_TEST(a_copy_that_could_not_grow_is_none)
{
        append_many(10);
        journal_copy_begin(&journal);
        for (uint32_t i = 0; i < FULL + 3; i++) {
                const struct entry entry = make(i);

                ck_assert_int_eq(journal_copy(&journal, &entry), i < FULL ? 0 : -ENOSPC);
        }
        ck_assert_int_eq(journal_copy_end(&journal), -ENOSPC);
        assert_reads(10, 0);
}
END_TEST

/* ---- memory ahead of time -------------------------------------------------------------------- */

/* Behind those that there are. */
static void append_more(uint64_t count)
{
        while (count--)
                ck_assert_int_eq(append((uint32_t)journal_count(&journal)), 0);
}

START_TEST(room_that_was_fetched_is_used)
{
        const struct journal_area *area = &journal.areas[0];
        struct journal_extent extent;
        uint64_t room;

        append_more(1);
        room = area->room;
        ck_assert(!journal_is_low(&journal));
        ck_assert(!journal_needs(&journal, &extent));
        append_more(area->low - 1);
        ck_assert(journal_is_low(&journal));
        ck_assert(journal_needs(&journal, &extent));
        ck_assert_int_eq(journal_fetch(&journal, &extent), 0);
        /* Whoever was quicker has made the same room already. */
        append_more((room + 1 - area->low));
        ck_assert_uint_eq(area->room, 2 * room);
        journal_add(&journal, &extent);
        ck_assert_uint_eq(area->room, 2 * room);
        append_more((area->low - area->count));
        ck_assert(journal_needs(&journal, &extent));
        ck_assert_int_eq(journal_fetch(&journal, &extent), 0);
        journal_add(&journal, &extent);
        ck_assert_uint_gt(area->room, 2 * room);
        ck_assert(!journal_needs(&journal, &extent));
        append_more((area->room - area->count));
        assert_reads(area->count, 0);
}
END_TEST

START_TEST(an_area_that_is_full_needs_nothing)
{
        struct journal_extent extent;

        while (journal.areas[0].room < FULL) {
                if (!journal_needs(&journal, &extent))
                        append_more(1);
                else
                        journal_add(&journal, &extent);
        }
        append_more((FULL - journal.areas[0].count));
        ck_assert(journal_is_low(&journal));
        ck_assert(!journal_needs(&journal, &extent));
        ck_assert_int_eq(append(0), -ENOSPC);
}
END_TEST

START_TEST(a_copy_has_its_room_first)
{
        struct journal_extent extent;

        append_more(1);
        ck_assert(!journal_needs(&journal, &extent));
        journal_copy_begin(&journal);
        ck_assert(journal_needs(&journal, &extent));
        ck_assert_uint_eq(extent.area, !journal.active);
        journal_add(&journal, &extent);
        ck_assert(!journal_needs(&journal, &extent));
        journal_copy_abandon(&journal);
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
        journal.header->layout = 2;
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
        Suite *suite = suite_create("journal");
        TCase *cases[4];

        for (int i = 0; i < 4; i++) {
                static const char *const names[] = {"whole", "cut", "damaged", "versions"};

                cases[i] = harness_case(suite, names[i], 30);
                tcase_add_checked_fixture(cases[i], set_up, tear_down);
        }
        tcase_add_test(cases[0], what_was_appended_is_read);
        tcase_add_test(cases[0], it_goes_on_where_it_was_left);
        tcase_add_test(cases[0], a_copy_takes_its_place);
        tcase_add_test(cases[0], a_copy_that_is_not_ended_is_none);
        tcase_add_test(cases[1], a_torn_record_is_none);
        tcase_add_test(cases[1], a_committed_record_counts_before_it_is_counted);
        tcase_add_test(cases[1], whoever_writes_may_die_at_any_step);
        tcase_add_test(cases[2], every_flipped_byte_is_damage);
        tcase_add_test(cases[2], a_record_that_vanished_is_damage);
        tcase_add_test(cases[2], a_record_in_another_place_is_damage);
        tcase_add_test(cases[2], a_count_that_runs_ahead_is_damage);
        tcase_add_test(cases[2], a_count_that_lags_behind_is_damage);
        tcase_add_test(cases[2], a_damaged_header_is_no_journal_and_can_be_made_one);
        tcase_add_test(cases[2], what_is_no_journal_is_refused);
        tcase_add_test(cases[2], where_it_could_not_grow_it_has_failed);
        tcase_add_test(cases[2], a_copy_that_could_not_grow_is_none);
        tcase_add_test(cases[2], room_that_was_fetched_is_used);
        tcase_add_test(cases[2], an_area_that_is_full_needs_nothing);
        tcase_add_test(cases[2], a_copy_has_its_room_first);
        tcase_add_test(cases[3], a_newer_one_is_refused_and_left_alone);
        tcase_add_test(cases[3], an_older_one_with_shorter_records_is_read);
        return harness_run(suite);
}
