// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "base/clock.h"
#include "base/lock.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

static struct lock low, high;
static struct lock_condition condition;

static void set_up(void)
{
        lock_init(&low, LOCK_POOL);
        lock_init(&high, LOCK_WORK);
        lock_condition_init(&condition);
}

static void tear_down(void)
{
        lock_condition_deinit(&condition);
        lock_deinit(&high);
        lock_deinit(&low);
}

START_TEST(locks_nest_in_the_order_of_their_ranks)
{
        lock_take(&low);
        lock_take(&high);
        lock_assert_held(&low);
        lock_assert_held(&high);
        lock_drop(&high);
        lock_drop(&low);
        lock_assert_none();
}
END_TEST

START_TEST(a_scope_drops_its_lock)
{
        {
                LOCK_SCOPE(&low);
                lock_assert_held(&low);
                ck_assert_int_eq(pthread_mutex_trylock(&low.mutex), EBUSY);
        }
        ck_assert_int_eq(pthread_mutex_trylock(&low.mutex), 0);
        ck_assert_int_eq(pthread_mutex_unlock(&low.mutex), 0);
}
END_TEST

static bool ready;

static void *signal_ready(void *unused)
{
        (void)unused;
        LOCK_SCOPE(&low);
        ready = true;
        lock_condition_signal(&condition);
        return NULL;
}

START_TEST(a_waiter_is_woken_and_has_the_lock_again)
{
        pthread_t thread;

        lock_take(&low);
        ck_assert_int_eq(pthread_create(&thread, NULL, signal_ready, NULL), 0);
        while (!ready)
                lock_condition_wait(&condition, &low);
        lock_assert_held(&low);
        lock_drop(&low);
        pthread_join(thread, NULL);
}
END_TEST

START_TEST(who_gives_way_comes_after_those_who_wait)
{
        pthread_t thread;

        ready = false;
        lock_take(&low);
        ck_assert_int_eq(pthread_create(&thread, NULL, signal_ready, NULL), 0);
        while (!ready)
                lock_give_way(&low);
        lock_assert_held(&low);
        ck_assert_uint_eq(atomic_load(&low.waiting), 0);
        lock_drop(&low);
        pthread_join(thread, NULL);
}
END_TEST

static atomic_bool tried;

/* Does not wait, and so is not one of those that are given way to. Returns whether it was lucky. */
static void *try_to_take(void *unused)
{
        bool taken = false;

        (void)unused;
        for (unsigned i = 0; i < 1000000 && !taken; i++)
                taken = pthread_mutex_trylock(&low.mutex) == 0;
        if (taken)
                pthread_mutex_unlock(&low.mutex);
        atomic_store(&tried, true);
        return taken ? &low : NULL;
}

START_TEST(nobody_waits_so_nobody_is_given_way_to)
{
        pthread_t thread;
        void *taken;

        atomic_store(&tried, false);
        lock_take(&low);
        ck_assert_int_eq(pthread_create(&thread, NULL, try_to_take, NULL), 0);
        while (!atomic_load(&tried))
                lock_give_way(&low);
        pthread_join(thread, &taken);
        ck_assert_ptr_null(taken);
        lock_drop(&low);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline)
{
        lock_take(&low);
        ck_assert_int_eq(lock_condition_wait_until(&condition, &low, clock_now()), -ETIMEDOUT);
        lock_assert_held(&low);
        lock_drop(&low);
}
END_TEST

#ifdef FILEMEM_DEBUG_CHECKS
START_TEST(a_reversed_order_aborts)
{
        lock_take(&high);
        lock_take(&low);
}
END_TEST

START_TEST(two_locks_of_one_rank_abort)
{
        struct lock other;

        lock_init(&other, LOCK_POOL);
        lock_take(&low);
        lock_take(&other);
}
END_TEST

START_TEST(asserting_a_lock_that_is_not_held_aborts)
{
        lock_assert_held(&low);
}
END_TEST

START_TEST(a_long_call_under_a_lock_aborts)
{
        lock_take(&low);
        lock_assert_none();
}
END_TEST
#endif

int main(void)
{
        Suite *suite = suite_create("lock");
        TCase *core = harness_case(suite, "core", 5);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, locks_nest_in_the_order_of_their_ranks);
        tcase_add_test(core, a_scope_drops_its_lock);
        tcase_add_test(core, a_waiter_is_woken_and_has_the_lock_again);
        tcase_add_test(core, who_gives_way_comes_after_those_who_wait);
        tcase_add_test(core, nobody_waits_so_nobody_is_given_way_to);
        tcase_add_test(core, a_wait_ends_at_its_deadline);
#ifdef FILEMEM_DEBUG_CHECKS
        TCase *ranks = harness_case(suite, "ranks", 5);

        tcase_add_checked_fixture(ranks, set_up, NULL);
        tcase_add_test_raise_signal(ranks, a_reversed_order_aborts, SIGABRT);
        tcase_add_test_raise_signal(ranks, two_locks_of_one_rank_abort, SIGABRT);
        tcase_add_test_raise_signal(ranks, asserting_a_lock_that_is_not_held_aborts, SIGABRT);
        tcase_add_test_raise_signal(ranks, a_long_call_under_a_lock_aborts, SIGABRT);
#endif
        return harness_run(suite);
}
