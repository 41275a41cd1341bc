// SPDX-License-Identifier: Apache-2.0
/* The threads, running: several clients' threads at one pool, scans all the time, and stopping. */
#include "memory/fixture.h"

#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THREADS 4

static struct holder *holder;

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &holder), 0);
}

static void tear_down(void)
{
        memory_stop(memory);
        holder = holder_free(holder);
        fixture_tear_down();
}

struct waiting {
        struct pool_job job;
        pthread_mutex_t mutex;
        pthread_cond_t condition;
        bool done;
        int result;
};

static void wake(struct pool_job *job, int result)
{
        struct waiting *waiting = (struct waiting *)job;

        pthread_mutex_lock(&waiting->mutex);
        waiting->result = result;
        waiting->done = true;
        pthread_cond_signal(&waiting->condition);
        pthread_mutex_unlock(&waiting->mutex);
}

static void prepare(struct waiting *waiting)
{
        *waiting = (struct waiting){.job.done = wake};
        pthread_mutex_init(&waiting->mutex, NULL);
        pthread_cond_init(&waiting->condition, NULL);
}

static int wait_for(struct waiting *waiting)
{
        pthread_mutex_lock(&waiting->mutex);
        while (!waiting->done)
                pthread_cond_wait(&waiting->condition, &waiting->mutex);
        pthread_mutex_unlock(&waiting->mutex);
        return waiting->result;
}

START_TEST(freed_pages_go_back_by_themselves)
{
        struct range range = take(holder, 1000, KIND_ANONYMOUS);

        ck_assert_int_eq(memory_start(memory), 0);
        client_touch(range, 1);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        wait_until_stored(0);
}
END_TEST

START_TEST(jobs_are_done_and_answered)
{
        struct range range = take(holder, 1000, KIND_ANONYMOUS);
        struct waiting decommit, update;
        struct pool_usage usage;

        ck_assert_int_eq(memory_start(memory), 0);
        client_touch(range, 1);
        prepare(&update);
        pool_update_usage(&update.job, pool);
        ck_assert_int_eq(wait_for(&update), 0);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.committed[KIND_ANONYMOUS], 1000 * FIXTURE_PAGE);
        prepare(&decommit);
        pool_decommit(&decommit.job, holder, range, false);
        ck_assert_int_eq(wait_for(&decommit), 0);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(stopping_cancels_what_had_not_begun)
{
        struct range range = take(holder, 10, KIND_ANONYMOUS);
        struct waiting decommit, update;

        prepare(&decommit);
        prepare(&update);
        pool_decommit(&decommit.job, holder, range, false);
        pool_update_usage(&update.job, pool);
        memory_stop(memory);
        ck_assert_int_eq(wait_for(&decommit), -ECANCELED);
        ck_assert_int_eq(wait_for(&update), -ECANCELED);
}
END_TEST

/* What one client does: all it was given reads as zero, and what it wrote it reads again. */
struct client {
        pthread_t thread;
        struct holder *holder;
        unsigned seed;
        unsigned steps;
        const char *failure;
};

static bool step(struct client *client, unsigned char *base)
{
        uint64_t count = 1 + (unsigned)rand_r(&client->seed) % 16, size;
        struct range range;
        unsigned char mark = (unsigned char)(1 + rand_r(&client->seed) % 255);

        if (pool_allocate(client->holder, count * FIXTURE_PAGE, KIND_ANONYMOUS, &range, &size))
                return false;
        for (uint64_t at = range.start; at < range.end; at += FIXTURE_PAGE) {
                if (base[at])
                        client->failure = "a new page is not zero";
                base[at] = mark;
        }
        if (pool_incref(client->holder, range) || pool_decref(client->holder, range))
                client->failure = "a reference was refused";
        if (rand_r(&client->seed) % 4 == 0) {
                struct waiting decommit;

                prepare(&decommit);
                pool_decommit(&decommit.job, client->holder, range, false);
                if (wait_for(&decommit))
                        client->failure = "a decommit failed";
                mark = 0;
        }
        for (uint64_t at = range.start; at < range.end; at += FIXTURE_PAGE)
                if (base[at] != mark)
                        client->failure = "a page has changed under its holder";
        return pool_decref(client->holder, range) == 0;
}

static void *run_client(void *argument)
{
        struct client *client = argument;
        struct range all = {0, UINT64_C(64) << 20};
        unsigned char *base = client_map(all);

        for (unsigned i = 0; i < client->steps && !client->failure; i++)
                if (!step(client, base))
                        client->failure = "an operation was refused";
        client_unmap(base, all);
        return NULL;
}

START_TEST(clients_reclaim_and_scans_do_not_disturb_each_other)
{
        struct client clients[THREADS] = {0};
        struct waiting update;

        ck_assert_int_eq(memory_start(memory), 0);
        for (unsigned i = 0; i < THREADS; i++) {
                clients[i].seed = i + 1;
                clients[i].steps = 20000 / harness_slowness();
                ck_assert_int_eq(holder_new(pool, &clients[i].holder), 0);
                ck_assert_int_eq(
                        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
        }
        for (unsigned i = 0; i < 500 / harness_slowness(); i++) {
                prepare(&update);
                pool_update_usage(&update.job, pool);
                ck_assert_int_eq(wait_for(&update), 0);
                pool_validate(pool);
        }
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(clients[i].thread, NULL);
                ck_assert_msg(!clients[i].failure, "%s", clients[i].failure);
                holder_free(clients[i].holder);
        }
        wait_until_stored(0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("memory");
        TCase *threads = harness_case(suite, "threads", 60);

        tcase_add_checked_fixture(threads, set_up, tear_down);
        tcase_add_test(threads, freed_pages_go_back_by_themselves);
        tcase_add_test(threads, jobs_are_done_and_answered);
        tcase_add_test(threads, stopping_cancels_what_had_not_begun);
        tcase_add_test(threads, clients_reclaim_and_scans_do_not_disturb_each_other);
        return harness_run(suite);
}
