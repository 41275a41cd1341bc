// SPDX-License-Identifier: Apache-2.0
#include "server/turns.h"

#include "support/harness.h"

#define SESSIONS 10

static struct turns turns;
static struct turns_share share;
static struct turns_mark marks[SESSIONS];

static void set_up(void)
{
        turns = (struct turns){0};
        share = (struct turns_share){0};
        for (int i = 0; i < SESSIONS; i++)
                marks[i] = (struct turns_mark){0};
}

/* One turn in which all are called; each go takes that long. Counts them, and how often each went.
 */
static int turn(uint64_t each, int went[SESSIONS])
{
        int count = 0;

        for (int i = 0; i < SESSIONS; i++) {
                if (!turns_take(&turns, &share, &marks[i]))
                        continue;
                turns_spend(&share, each);
                went[i]++;
                count++;
        }
        return count;
}

START_TEST(who_needs_little_has_a_go_in_each_turn)
{
        int went[SESSIONS] = {0};

        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(turn(TURNS_SHARE / SESSIONS / 2, went), SESSIONS);
}
END_TEST

START_TEST(a_user_alone_is_never_without_a_go)
{
        for (int i = 0; i < 100; i++) {
                ck_assert(turns_take(&turns, &share, &marks[0]));
                turns_spend(&share, 10 * TURNS_SHARE);
        }
}
END_TEST

START_TEST(a_turn_has_no_more_than_the_share_and_one_go)
{
        int went[SESSIONS] = {0};

        for (int i = 0; i < 100; i++)
                ck_assert_int_le(turn(TURNS_SHARE / 3 + 1, went), 3);
}
END_TEST

START_TEST(all_sessions_of_a_user_have_as_many_goes)
{
        int went[SESSIONS] = {0}, count = 0;

        for (int i = 0; i < 1000; i++)
                count += turn(TURNS_SHARE / 3 + 1, went);
        for (int i = 1; i < SESSIONS; i++) {
                ck_assert_int_ge(went[i], went[0] - 1);
                ck_assert_int_le(went[i], went[0] + 1);
        }
        ck_assert_int_ge(count, 2000); /* and hardly a turn is without one */
}
END_TEST

START_TEST(one_that_was_left_out_and_went_away_keeps_nobody_waiting)
{
        int went[SESSIONS] = {0}, without = 0;

        turn(TURNS_SHARE, went);
        for (int i = 0; i < 100; i++)
                if (!turns_take(&turns, &share, &marks[0]))
                        ck_assert_int_le(++without, 1);
}
END_TEST

START_TEST(users_do_not_take_from_each_other)
{
        struct turns_share other = {0};
        struct turns_mark mark = {0};
        int went[SESSIONS] = {0};

        for (int i = 0; i < 100; i++) {
                turn(TURNS_SHARE, went);
                ck_assert(turns_take(&turns, &other, &mark));
                turns_spend(&other, 10);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("turns");
        TCase *tests = harness_case(suite, "turns", 10);

        tcase_add_checked_fixture(tests, set_up, NULL);
        tcase_add_test(tests, who_needs_little_has_a_go_in_each_turn);
        tcase_add_test(tests, a_user_alone_is_never_without_a_go);
        tcase_add_test(tests, a_turn_has_no_more_than_the_share_and_one_go);
        tcase_add_test(tests, all_sessions_of_a_user_have_as_many_goes);
        tcase_add_test(tests, one_that_was_left_out_and_went_away_keeps_nobody_waiting);
        tcase_add_test(tests, users_do_not_take_from_each_other);
        return harness_run(suite);
}
