// SPDX-License-Identifier: Apache-2.0
/*
 * Journals that their writer left at any moment: what was committed is read, and what was cut off
 * is none.
 */
#include "journal/fixture.h"

#include "base/crash.h"
#include "journal/private.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

int main(void)
{
        Suite *suite = suite_create("journal");
        TCase *whole = harness_case(suite, "whole", 30);
        TCase *cut = harness_case(suite, "cut", 30);

        tcase_add_checked_fixture(whole, set_up, tear_down);
        tcase_add_test(whole, what_was_appended_is_read);
        tcase_add_test(whole, it_goes_on_where_it_was_left);
        tcase_add_test(whole, a_copy_takes_its_place);
        tcase_add_test(whole, a_copy_that_is_not_ended_is_none);

        tcase_add_checked_fixture(cut, set_up, tear_down);
        tcase_add_test(cut, a_torn_record_is_none);
        tcase_add_test(cut, a_committed_record_counts_before_it_is_counted);
        tcase_add_test(cut, whoever_writes_may_die_at_any_step);
        return harness_run(suite);
}
