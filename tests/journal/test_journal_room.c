// SPDX-License-Identifier: Apache-2.0
/* The memory that a journal takes: where there is none, and where it was asked for before. */
#include "journal/fixture.h"

#include "journal/private.h"

#include <errno.h>

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

int main(void)
{
        Suite *suite = suite_create("journal_room");
        TCase *none = harness_case(suite, "none", 30);
        TCase *ahead = harness_case(suite, "ahead", 30);

        tcase_add_checked_fixture(none, set_up, tear_down);
        tcase_add_test(none, where_it_could_not_grow_it_has_failed);
        tcase_add_test(none, a_copy_that_could_not_grow_is_none);

        tcase_add_checked_fixture(ahead, set_up, tear_down);
        tcase_add_test(ahead, room_that_was_fetched_is_used);
        tcase_add_test(ahead, an_area_that_is_full_needs_nothing);
        tcase_add_test(ahead, a_copy_has_its_room_first);
        return harness_run(suite);
}
