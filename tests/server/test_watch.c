// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include "base/clock.h"
#include "support/harness.h"

#include <string.h>

#define LIMIT (10 * NSEC_PER_SEC)
#define START (1000 * NSEC_PER_SEC)

static struct watch_thread thread;

static void set_up(void)
{
        thread = (struct watch_thread){0};
}

/* Looks at it so many seconds after the start. */
static bool look(uint64_t seconds, uint64_t steps, bool has_work)
{
        struct memory_progress progress = {"reclaim", steps, has_work};

        return watch_thread_look(&thread, &progress, START + seconds * NSEC_PER_SEC, LIMIT);
}

START_TEST(idle_thread_is_well_however_long)
{
        for (uint64_t second = 0; second < 1000; second += 100)
                ck_assert(!look(second, 7, false));
        ck_assert(!thread.stuck);
}
END_TEST

START_TEST(busy_thread_is_well_as_long_as_it_counts)
{
        for (uint64_t second = 0; second < 1000; second += 100)
                ck_assert(!look(second, second, true));
        ck_assert(!thread.stuck);
}
END_TEST

START_TEST(thread_without_a_step_is_stuck_after_the_limit)
{
        ck_assert(!look(0, 7, true));
        ck_assert(!look(9, 7, true));
        ck_assert(look(10, 7, true));
        ck_assert(thread.stuck);
        ck_assert(!look(20, 7, true));
        ck_assert(thread.stuck);
}
END_TEST

START_TEST(time_without_work_does_not_count)
{
        ck_assert(!look(0, 7, true));
        ck_assert(!look(9, 7, false));
        ck_assert(!look(18, 7, true));
        ck_assert(look(19, 7, true));
}
END_TEST

START_TEST(first_look_is_no_judgement)
{
        struct memory_progress progress = {"scan", 0, true};

        ck_assert(!watch_thread_look(&thread, &progress, START, LIMIT));
        ck_assert(!thread.stuck);
        ck_assert(look(10, 0, true));
}
END_TEST

START_TEST(stuck_thread_is_well_again_with_its_next_step)
{
        look(0, 7, true);
        ck_assert(look(10, 7, true));
        ck_assert(look(11, 8, true));
        ck_assert(!thread.stuck);
        ck_assert(!look(20, 8, true));
        ck_assert(look(21, 8, true));
}
END_TEST

START_TEST(status_has_numbers)
{
        struct server_summary summary = {.sessions = 1,
                .pools = 2,
                .held = UINT64_C(300) << 20,
                .stored = (UINT64_C(2) << 20) - 1,
                .operations = 12345};
        char text[WATCH_STATUS_MAX];

        watch_format_status(&summary, text);
        ck_assert_str_eq(
                text, "1 session in 2 pools; 300 MiB held, 1 MiB stored; 12345 operations");
}
END_TEST

START_TEST(longest_status_has_room)
{
        struct server_summary summary = {
                UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
        char text[WATCH_STATUS_MAX];

        watch_format_status(&summary, text);
        ck_assert_str_eq(text + strlen(text) - strlen("operations"), "operations");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("watch");
        TCase *tests = harness_case(suite, "watch", 10);

        tcase_add_checked_fixture(tests, set_up, NULL);
        tcase_add_test(tests, idle_thread_is_well_however_long);
        tcase_add_test(tests, busy_thread_is_well_as_long_as_it_counts);
        tcase_add_test(tests, thread_without_a_step_is_stuck_after_the_limit);
        tcase_add_test(tests, time_without_work_does_not_count);
        tcase_add_test(tests, first_look_is_no_judgement);
        tcase_add_test(tests, stuck_thread_is_well_again_with_its_next_step);
        tcase_add_test(tests, status_has_numbers);
        tcase_add_test(tests, longest_status_has_room);
        return harness_run(suite);
}
