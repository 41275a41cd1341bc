// SPDX-License-Identifier: Apache-2.0
#include "server/limits.h"

#include "base/error.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static struct limits limits;
static struct limits_options options;
static struct limits_set pool_set;
static struct limits_account *pool, *user, *sessions[2];
static struct charge charges[2];
static int woken;

static void on_wake(struct limits_waiter *waiter)
{
        (void)waiter;
        woken++;
}

/* Two sessions of one user in one pool. */
static void set_up(void)
{
        options = limits_defaults;
        pool_set = limits_none;
        woken = 0;
        ck_assert_int_eq(limits_init(&limits, &options, 1000, on_wake), 0);
        pool = limits_account_new(&limits, LIMITS_POOL, &pool_set);
        user = limits_account_of_user(&limits, 1000);
        for (int i = 0; i < 2; i++) {
                sessions[i] = limits_account_new(&limits, LIMITS_SESSION, NULL);
                charge_begin(&charges[i], sessions[i], user, pool, limits.total);
                limits_account_drop(sessions[i]);
        }
        limits_account_drop(user);
        limits_account_drop(pool);
}

static void tear_down(void)
{
        for (int i = 0; i < 2; i++)
                charge_repay(&charges[i]);
        limits_deinit(&limits); /* aborts if an account is left */
}

static void set_maximum(enum limits_scope scope, enum limit limit, uint64_t maximum)
{
        if (scope == LIMITS_POOL) {
                pool_set.maximum[limit] = maximum;
                limits_account_set(pool, &pool_set);
                return;
        }
        options.sets[scope].maximum[limit] = maximum;
        limits_configure(&limits, &options);
}

static const char *text(int result)
{
        static char buffer[WIRE_TEXT_MAX + 1];

        return charge_text(&charges[0], result, buffer);
}

START_TEST(what_is_taken_counts_in_every_account_and_is_repaid)
{
        ck_assert_int_eq(charge_take(&charges[0], LIMIT_RANGES, 10), 0);
        ck_assert_int_eq(charge_take(&charges[1], LIMIT_RANGES, 20), 0);
        ck_assert_uint_eq(sessions[0]->used[LIMIT_RANGES], 10);
        ck_assert_uint_eq(user->used[LIMIT_RANGES], 30);
        ck_assert_uint_eq(pool->used[LIMIT_RANGES], 30);
        ck_assert_uint_eq(limits.total->used[LIMIT_RANGES], 30);
        charge_set(&charges[0], LIMIT_RANGES, 3);
        ck_assert_uint_eq(user->used[LIMIT_RANGES], 23);
        charge_repay(&charges[1]);
        ck_assert_uint_eq(limits.total->used[LIMIT_RANGES], 3);
        charge_repay(&charges[1]); /* once more is fine */
        charge_repay(&charges[0]);
        ck_assert_uint_eq(limits.total->used[LIMIT_RANGES], 0);
        ck_assert_uint_eq(limits.accounts, 1);
}
END_TEST

START_TEST(each_account_can_refuse_and_is_named)
{
        static const char *const texts[LIMITS_SCOPES] = {
                "limit of bytes per session (1 GiB) reached",
                "limit of bytes per user (1 GiB) reached",
                "limit of bytes of the pool (1 GiB) reached",
                "limit of bytes in total (1 GiB) reached",
        };

        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                set_maximum((enum limits_scope)scope, LIMIT_BYTES, 1u << 30);
                ck_assert_int_eq(
                        charge_take(&charges[0], LIMIT_BYTES, (1u << 30) + 1), OUTCOME_LIMIT_BYTES);
                ck_assert_str_eq(text(OUTCOME_LIMIT_BYTES), texts[scope]);
                ck_assert_uint_eq(limits.total->used[LIMIT_BYTES], 0);
                ck_assert_int_eq(charge_take(&charges[0], LIMIT_BYTES, 1u << 30), 0);
                ck_assert_uint_eq(charge_room(&charges[0], LIMIT_BYTES), 0);
                ck_assert_int_eq(charge_take(&charges[0], LIMIT_BYTES, 1), OUTCOME_LIMIT_BYTES);
                charge_set(&charges[0], LIMIT_BYTES, 0);
                set_maximum((enum limits_scope)scope, LIMIT_BYTES, LIMIT_NONE);
        }
}
END_TEST

START_TEST(sentences_fit_and_have_units_only_for_bytes)
{
        for (int limit = 0; limit < LIMIT_COUNT; limit++) {
                set_maximum(LIMITS_USER, (enum limit)limit, UINT64_MAX - 1);
                ck_assert_uint_lt(strlen(text(OUTCOME_LIMIT_BYTES + limit)), WIRE_TEXT_MAX);
                ck_assert_ptr_nonnull(
                        strstr(text(OUTCOME_LIMIT_BYTES + limit), limit_name((enum limit)limit)));
        }
        set_maximum(LIMITS_SESSION, LIMIT_RANGES, 4096);
        ck_assert_str_eq(text(OUTCOME_LIMIT_RANGES), "limit of ranges per session (4096) reached");
        set_maximum(LIMITS_SESSION, LIMIT_REPLIES, 1025);
        ck_assert_str_eq(text(OUTCOME_LIMIT_REPLIES),
                "limit of bytes of unread replies per session (1025 bytes) reached");
        ck_assert_str_eq(text(OUTCOME_POOL_FULL), error_text(OUTCOME_POOL_FULL));
        ck_assert_str_eq(text(0), "");
}
END_TEST

START_TEST(a_lower_limit_leaves_what_there_is)
{
        ck_assert_int_eq(charge_take(&charges[0], LIMIT_RANGES, 100), 0);
        set_maximum(LIMITS_USER, LIMIT_RANGES, 50);
        ck_assert_uint_eq(charge_room(&charges[1], LIMIT_RANGES), 0);
        ck_assert_int_eq(charge_take(&charges[1], LIMIT_RANGES, 1), OUTCOME_LIMIT_RANGES);
        ck_assert_uint_eq(charge_overdraft(&charges[1], LIMIT_RANGES), 0);
        charge_set(&charges[0], LIMIT_RANGES, 49);
        ck_assert_uint_eq(charge_overdraft(&charges[1], LIMIT_RANGES), 51);
        ck_assert_int_eq(charge_take(&charges[1], LIMIT_RANGES, 1), 0);
}
END_TEST

START_TEST(users_have_one_account_each_that_goes_with_the_last_charge)
{
        struct limits_account *again = limits_account_of_user(&limits, 1000);
        struct limits_account *other = limits_account_of_user(&limits, 1000 + LIMITS_BUCKETS);

        ck_assert_ptr_eq(again, user);
        ck_assert_ptr_ne(other, user); /* though in the same bucket */
        ck_assert_uint_eq(limits.accounts, 6);
        limits_account_drop(again);
        limits_account_drop(other);
        ck_assert_uint_eq(limits.accounts, 5);
}
END_TEST

START_TEST(a_pool_that_is_joined_later_is_charged_for_what_there_is)
{
        struct limits_account *second = limits_account_new(&limits, LIMITS_POOL, &pool_set);
        struct charge charge;

        charge_begin(&charge, NULL, user, NULL, limits.total);
        ck_assert_int_eq(charge_take(&charge, LIMIT_SESSIONS, 1), 0);
        pool_set.maximum[LIMIT_SESSIONS] = 0;
        limits_account_set(second, &pool_set);
        ck_assert_int_eq(charge_join(&charge, second), OUTCOME_LIMIT_SESSIONS);
        ck_assert_uint_eq(second->used[LIMIT_SESSIONS], 0);
        pool_set.maximum[LIMIT_SESSIONS] = 1;
        limits_account_set(second, &pool_set);
        ck_assert_int_eq(charge_join(&charge, second), 0);
        ck_assert_uint_eq(second->used[LIMIT_SESSIONS], 1);
        charge_repay(&charge);
        ck_assert_uint_eq(second->used[LIMIT_SESSIONS], 0);
        limits_account_drop(second);
}
END_TEST

START_TEST(peers_keep_the_account_of_who_opened_them)
{
        struct charge peer;

        set_maximum(LIMITS_SESSION, LIMIT_PEERS, 1);
        charge_begin(&peer, sessions[0], user, pool, limits.total);
        ck_assert_int_eq(charge_take(&peer, LIMIT_PEERS, 1), 0);
        charge_repay(&charges[0]); /* it goes, the peer stays */
        ck_assert_uint_eq(sessions[0]->used[LIMIT_PEERS], 1);
        ck_assert_uint_eq(user->used[LIMIT_PEERS], 1);
        charge_repay(&peer);
        ck_assert_uint_eq(user->used[LIMIT_PEERS], 0);
}
END_TEST

START_TEST(committed_bytes_are_those_of_the_pools)
{
        struct limits_account *second = limits_account_new(&limits, LIMITS_POOL, &pool_set);

        limits_note_committed(pool, 100);
        limits_note_committed(second, 50);
        limits_note_committed(pool, 70);
        ck_assert_uint_eq(limits.total->used[LIMIT_COMMITTED], 120);
        limits_account_drop(second);
        ck_assert_uint_eq(limits.total->used[LIMIT_COMMITTED], 70);
}
END_TEST

START_TEST(requests_wait_in_their_order_for_room)
{
        struct limits_waiter first = {0}, second = {0};

        set_maximum(LIMITS_USER, LIMIT_REQUESTS, 1);
        ck_assert(!charge_wait(&charges[0], &first));
        charge_set(&charges[0], LIMIT_REQUESTS, 1);
        ck_assert(charge_wait(&charges[1], &first));
        ck_assert(charge_wait(&charges[1], &second));
        charge_wake(&charges[0]); /* no room yet */
        ck_assert_int_eq(woken, 0);
        charge_set(&charges[0], LIMIT_REQUESTS, 0);
        charge_wake(&charges[0]);
        ck_assert_int_eq(woken, 1);
        ck_assert_ptr_null(first.account);
        charge_wake(&charges[1]); /* the one that was woken made no use of it */
        ck_assert_int_eq(woken, 2);
        ck_assert(!second.account);
        limits_stop_waiting(&second); /* once more is fine */
}
END_TEST

START_TEST(sessions_are_bounded_by_descriptors_and_shared_out)
{
        ck_assert_uint_eq(limits.total->set->maximum[LIMIT_SESSIONS], 1000);
        ck_assert_uint_eq(user->set->maximum[LIMIT_SESSIONS], 500);
        set_maximum(LIMITS_TOTAL, LIMIT_SESSIONS, 5000);
        ck_assert_uint_eq(limits.total->set->maximum[LIMIT_SESSIONS], 5000);
        ck_assert_uint_eq(user->set->maximum[LIMIT_SESSIONS], 2500);
        set_maximum(LIMITS_TOTAL, LIMIT_SESSIONS, 100);
        ck_assert_uint_eq(limits.total->set->maximum[LIMIT_SESSIONS], 100);
        ck_assert_uint_eq(user->set->maximum[LIMIT_SESSIONS], 100); /* few: whoever comes */
        set_maximum(LIMITS_USER, LIMIT_SESSIONS, 7);
        ck_assert_uint_eq(user->set->maximum[LIMIT_SESSIONS], 7);
}
END_TEST

START_TEST(without_memory_there_is_no_account)
{
        struct limits second;

        fault_alloc_at(0);
        ck_assert_ptr_null(limits_account_of_user(&limits, 5));
        fault_alloc_at(0);
        ck_assert_int_eq(limits_init(&second, &options, 10, on_wake), -ENOMEM);
        limits_deinit(&second);
        fault_alloc_at(-1);
}
END_TEST

START_TEST(an_account_with_debts_is_a_broken_invariant)
{
        user->used[LIMIT_RANGES] = 1;
        charge_repay(&charges[0]);
        charge_repay(&charges[1]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("limits");
        TCase *tests = harness_case(suite, "limits", 10);
        TCase *broken = harness_case(suite, "broken", 10);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, what_is_taken_counts_in_every_account_and_is_repaid);
        tcase_add_test(tests, each_account_can_refuse_and_is_named);
        tcase_add_test(tests, sentences_fit_and_have_units_only_for_bytes);
        tcase_add_test(tests, a_lower_limit_leaves_what_there_is);
        tcase_add_test(tests, users_have_one_account_each_that_goes_with_the_last_charge);
        tcase_add_test(tests, a_pool_that_is_joined_later_is_charged_for_what_there_is);
        tcase_add_test(tests, peers_keep_the_account_of_who_opened_them);
        tcase_add_test(tests, committed_bytes_are_those_of_the_pools);
        tcase_add_test(tests, requests_wait_in_their_order_for_room);
        tcase_add_test(tests, sessions_are_bounded_by_descriptors_and_shared_out);
        tcase_add_test(tests, without_memory_there_is_no_account);
        tcase_add_checked_fixture(broken, set_up, NULL);
        tcase_add_test_raise_signal(broken, an_account_with_debts_is_a_broken_invariant, SIGABRT);
        return harness_run(suite);
}
