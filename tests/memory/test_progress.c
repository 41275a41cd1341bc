// SPDX-License-Identifier: Apache-2.0
/* What the watchdog sees of the threads. */
#include "memory/fixture.h"

#include <fcntl.h>
#include <semaphore.h>
#include <unistd.h>

enum { RECLAIM, SCAN };

static struct holder *holder;
static sem_t entered, released;

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        sem_init(&entered, 0, 0);
        sem_init(&released, 0, 0);
}

static void tear_down(void)
{
        memory_stop(memory);
        holder = holder_free(holder);
        fixture_tear_down();
}

static struct memory_progress see(int thread)
{
        struct memory_progress progress[MEMORY_THREADS];

        memory_progress(memory, clock_now(), progress);
        return progress[thread];
}

/* Polls until the thread has nothing to do. */
static void wait_idle(int thread)
{
        uint64_t deadline = clock_now() + 10 * NSEC_PER_SEC;

        while (see(thread).has_work) {
                ck_assert(clock_now() < deadline);
                usleep(1000);
        }
}

/* A kernel that does not come back from punching, for as long as the test likes. */
static int punch_when_released(int fd, int mode, off_t offset, off_t length)
{
        sem_post(&entered);
        sem_wait(&released);
        return fallocate(fd, mode, offset, length);
}

START_TEST(threads_without_work_are_idle)
{
        ck_assert_int_eq(memory_start(memory), 0);
        wait_idle(RECLAIM);
        wait_idle(SCAN);
        ck_assert_str_eq(see(RECLAIM).thread, "reclaim");
        ck_assert_str_eq(see(SCAN).thread, "scan");
}
END_TEST

START_TEST(work_that_no_thread_takes_is_seen)
{
        struct pool_job asker = {.done = NULL};
        struct range range = take(holder, 16, KIND_ANONYMOUS);

        ck_assert(!see(RECLAIM).has_work);
        ck_assert(!see(SCAN).has_work);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        ck_assert(see(RECLAIM).has_work);
        pool_update_usage(&asker, pool);
        ck_assert(see(SCAN).has_work);
        /* The asker is on this stack: take it back. */
        TAILQ_REMOVE(&pool->askers, &asker, link);
}
END_TEST

START_TEST(work_counts_steps)
{
        struct range range = take(holder, 16, KIND_ANONYMOUS);
        uint64_t steps;

        ck_assert_int_eq(memory_start(memory), 0);
        wait_idle(RECLAIM);
        steps = see(RECLAIM).steps;
        ck_assert_int_eq(pool_decref(holder, range), 0);
        wait_until_stored(0);
        wait_idle(RECLAIM);
        ck_assert_uint_gt(see(RECLAIM).steps, steps);
}
END_TEST

START_TEST(thread_in_a_system_call_has_work_and_counts_nothing)
{
        struct range range = take(holder, 16, KIND_ANONYMOUS);
        struct memory_progress before, after;

        client_touch(range, 1);
        pool->file.fallocate = punch_when_released;
        ck_assert_int_eq(memory_start(memory), 0);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        sem_wait(&entered);
        before = see(RECLAIM);
        usleep(20000);
        after = see(RECLAIM);
        ck_assert(before.has_work && after.has_work);
        ck_assert_uint_eq(after.steps, before.steps);
        sem_post(&released);
        wait_until_stored(0);
        wait_idle(RECLAIM);
        ck_assert_uint_gt(see(RECLAIM).steps, before.steps);
}
END_TEST

/* One step of reclaim, one of decommit: but each of its system calls is a step for the watchdog. */
START_TEST(long_work_counts_a_step_for_each_system_call)
{
        struct range range = take(holder, 5 * PUNCH_MAX / FIXTURE_PAGE, KIND_ANONYMOUS);
        uint64_t steps = progress_steps(&memory->reclaim_progress);

        progress_follow(&memory->reclaim_progress);
        ck_assert_int_eq(decommit(holder, range, false), 0);
        progress_follow(NULL);
        ck_assert_uint_ge(see(RECLAIM).steps, steps + 5);
        ck_assert_int_eq(pool_decref(holder, range), 0);
}
END_TEST

START_TEST(scan_counts_a_step_for_each_system_call)
{
        uint64_t steps = progress_steps(&memory->scan_progress);

        take(holder, 1, KIND_ANONYMOUS);
        take(holder, 1, KIND_TMPFS);
        client_touch(pages(0, 2), 1);
        progress_follow(&memory->scan_progress);
        usage_after_scan();
        progress_follow(NULL);
        ck_assert_uint_ge(see(SCAN).steps, steps + 2);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("progress");
        TCase *tests = harness_case(suite, "progress", 30);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, threads_without_work_are_idle);
        tcase_add_test(tests, work_that_no_thread_takes_is_seen);
        tcase_add_test(tests, work_counts_steps);
        tcase_add_test(tests, thread_in_a_system_call_has_work_and_counts_nothing);
        tcase_add_test(tests, long_work_counts_a_step_for_each_system_call);
        tcase_add_test(tests, scan_counts_a_step_for_each_system_call);
        return harness_run(suite);
}
