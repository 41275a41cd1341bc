// SPDX-License-Identifier: Apache-2.0
/* Giving back all that can be, for somebody who waits. */
#include "memory/fixture.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>

static struct holder *holder;
static int results[4];
static unsigned done_count;

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        done_count = 0;
}

static void tear_down(void)
{
        holder = holder_free(holder);
        reclaim_all();
        fixture_tear_down();
}

static void on_done(struct pool_job *job, int result)
{
        (void)job;
        ck_assert_uint_lt(done_count, 4);
        results[done_count++] = result;
}

/* Steps until so many trims are done. Returns how many steps that took. */
static unsigned step_until(unsigned count)
{
        unsigned steps = 0;

        while (done_count < count) {
                ck_assert_uint_lt(steps, 10000);
                reclaim_step(pool, clock_now());
                steps++;
        }
        return steps;
}

static struct pool_job trim_begun(void)
{
        return (struct pool_job){.done = on_done};
}

START_TEST(an_idle_pool_is_trimmed_at_once)
{
        struct pool_job job = trim_begun();

        pool_trim(&job, pool);
        step_until(1);
        ck_assert_int_eq(results[0], 0);
        ck_assert_uint_eq(job.size, 0);
}
END_TEST

START_TEST(what_is_freed_is_given_back)
{
        struct range range = take(holder, 1024, KIND_TMPFS), other = take(holder, 16, KIND_TMPFS);
        struct pool_job job = trim_begun();

        client_touch(range, 1);
        client_touch(other, 1);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        pool_trim(&job, pool);
        step_until(1);
        ck_assert_int_eq(results[0], 0);
        ck_assert_uint_eq(job.size, 1024 * FIXTURE_PAGE);
        ck_assert_uint_eq(stored(), 16 * FIXTURE_PAGE);
}
END_TEST

/* Nobody has to scan first. */
START_TEST(stray_pages_are_punched)
{
        struct range range = take(holder, 64, KIND_TMPFS);
        struct pool_job job = trim_begun();

        ck_assert_int_eq(pool_decref(holder, range), 0);
        reclaim_all();
        client_touch(range, 1);
        client_touch(pages(10000, 10010), 1);
        ck_assert_uint_eq(stored(), 74 * FIXTURE_PAGE);
        pool_trim(&job, pool);
        step_until(1);
        ck_assert_int_eq(results[0], 0);
        ck_assert_uint_eq(job.size, 74 * FIXTURE_PAGE);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

/* Who frees and frees does not keep it from its end, nor from the gaps. */
START_TEST(a_busy_pool_is_trimmed_too)
{
        struct range ranges[512];
        struct pool_job job = trim_begun();
        unsigned steps = 0;

        for (int i = 0; i < 512; i++)
                ranges[i] = take(holder, 1, i % 2 ? KIND_TMPFS : KIND_MAPPED);
        client_touch(pages(100000, 100001), 1);
        pool_trim(&job, pool);
        for (int i = 0; !done_count; i = (i + 34) % 510) {
                ck_assert_uint_lt(steps++, 1000);
                for (int k = 0; k < 34; k += 2) {
                        ck_assert_int_eq(pool_decref(holder, ranges[i + k]), 0);
                        ranges[i + k] = take(holder, 1, KIND_MAPPED);
                }
                reclaim_step(pool, clock_now());
        }
        ck_assert_int_eq(results[0], 0);
        for (int i = 0; i < 512; i++)
                ck_assert_int_eq(pool_decref(holder, ranges[i]), 0);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

/* The second one came when the pass had been where it asks for. */
START_TEST(a_pass_that_is_under_way_is_not_enough)
{
        struct pool_job first = trim_begun(), second = trim_begun();
        struct range ranges[8];

        for (int i = 0; i < 8; i++)
                ranges[i] = take(holder, 2, i % 2 ? KIND_TMPFS : KIND_MAPPED);
        for (int i = 0; i < 8; i += 2)
                ck_assert_int_eq(pool_decref(holder, ranges[i]), 0);
        reclaim_all();
        pool_trim(&first, pool);
        while (!pool->scrub_page)
                reclaim_step(pool, clock_now());
        reclaim_step(pool, clock_now());
        client_touch(ranges[0], 1);
        pool_trim(&second, pool);
        step_until(2);
        ck_assert_uint_eq(second.size, 2 * FIXTURE_PAGE);
        ck_assert_uint_eq(stored(), 0);
        for (int i = 1; i < 8; i += 2)
                ck_assert_int_eq(pool_decref(holder, ranges[i]), 0);
}
END_TEST

START_TEST(what_a_session_left_is_given_back)
{
        struct pool_job job = trim_begun();
        struct holder *gone;
        struct range range;

        ck_assert_int_eq(holder_new(pool, &gone), 0);
        take(holder, 1, KIND_TMPFS);
        for (int i = 0; i < 2000; i++) {
                range = take(gone, 1, i % 2 ? KIND_TMPFS : KIND_MAPPED);
                client_touch(range, 1);
        }
        holder_free(gone);
        pool_trim(&job, pool);
        step_until(1);
        ck_assert_int_eq(results[0], 0);
        ck_assert_uint_eq(stored(), 0);
        ck_assert(LIST_EMPTY(&pool->orphans));
}
END_TEST

START_TEST(a_trim_that_is_cancelled_ends)
{
        struct pool_job job = trim_begun();

        pool_trim(&job, pool);
        pool_cancel(&job);
        ck_assert_uint_eq(step_until(1), 1);
        ck_assert_int_eq(results[0], -ECANCELED);
}
END_TEST

START_TEST(the_end_of_the_threads_ends_it)
{
        struct pool_job job = trim_begun();

        pool_trim(&job, pool);
        memory_stop(memory);
        ck_assert_uint_eq(done_count, 1);
        ck_assert_int_eq(results[0], -ECANCELED);
}
END_TEST

START_TEST(leased_is_what_is_being_prepared)
{
        struct pool_job job = {.done = on_done};
        struct pool_information information;

        pool_prepare(&job, holder, 64 << 20, KIND_TMPFS, true);
        reclaim_step(pool, clock_now());
        pool_information(pool, &information);
        ck_assert_uint_eq(information.leased, 64 << 20);
        pool_cancel(&job);
        reclaim_all();
        ck_assert_uint_eq(done_count, 1);
        pool_information(pool, &information);
        ck_assert_uint_eq(information.leased, 0);
        pool_prepare(&job, holder, 4096, KIND_TMPFS, true);
        reclaim_all();
        ck_assert_int_eq(results[1], 0);
        pool_information(pool, &information);
        ck_assert_uint_eq(information.leased, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("trim");
        TCase *tests = harness_case(suite, "trim", 60);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, an_idle_pool_is_trimmed_at_once);
        tcase_add_test(tests, what_is_freed_is_given_back);
        tcase_add_test(tests, stray_pages_are_punched);
        tcase_add_test(tests, a_busy_pool_is_trimmed_too);
        tcase_add_test(tests, a_pass_that_is_under_way_is_not_enough);
        tcase_add_test(tests, what_a_session_left_is_given_back);
        tcase_add_test(tests, a_trim_that_is_cancelled_ends);
        tcase_add_test(tests, the_end_of_the_threads_ends_it);
        tcase_add_test(tests, leased_is_what_is_being_prepared);
        return harness_run(suite);
}
