// SPDX-License-Identifier: Apache-2.0
/* SIGKILL while a queue has much under way, in an imitation of systemd. */
#include "filemem/filemem.h"
#include "support/harness.h"
#include "support/manager.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE    UINT64_C(4096)
#define BATCH   100u
#define KILLS   10u
#define BETWEEN 20u /* rounds between two kills */

static struct manager manager;
static filemem_session *session;
static filemem_queue *queue;

static void start(void)
{
        manager_init(&manager, "[pool default]\ncapacity = 256M\njoin = *\n", 512);
        manager_set_restarts(&manager, true);
        manager_start(&manager);
        ck_assert_int_eq(filemem_open(manager.socket, NULL, &session), 0);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
}

static void stop(void)
{
        filemem_queue_close(queue);
        filemem_close(session);
        manager_set_restarts(&manager, false);
        manager_deinit(&manager);
}

static void kill_daemon(void)
{
        pthread_mutex_lock(&manager.mutex);
        if (manager.pid > 0)
                kill(manager.pid, SIGKILL);
        pthread_mutex_unlock(&manager.mutex);
}

/* ---- what is held ------------------------------------------------------------------------------
 */

static struct filemem_range held[BATCH];
static unsigned held_count;
static unsigned wrong;

static void take(const struct filemem_completion *completion)
{
        wrong += completion->result != 0;
        held[held_count++] = completion->range;
}

static void count(const struct filemem_completion *completion)
{
        wrong += completion->result != 0;
}

static void submit(enum filemem_code code, struct filemem_range range, filemem_completed *done)
{
        const struct filemem_operation operation = {
                .code = code,
                .range = range,
                .length = PAGE,
                .kind = FILEMEM_ANONYMOUS,
                .done = done,
        };

        ck_assert_int_eq(filemem_submit(queue, &operation, 1), 0);
}

/* Nobody else has them: they read as zeros at first, and nobody writes to them meanwhile. */
static void use(unsigned round)
{
        for (unsigned i = 0; i < BATCH; i++) {
                unsigned *word;

                ck_assert_int_eq(
                        filemem_map(session, held[i], PROT_READ | PROT_WRITE, (void **)&word), 0);
                ck_assert_uint_eq(*word, 0);
                *word = round * BATCH + i + 1;
        }
        for (unsigned i = 0; i < BATCH; i++) {
                unsigned *word;

                ck_assert_int_eq(filemem_map(session, held[i], PROT_READ, (void **)&word), 0);
                ck_assert_uint_eq(*word, round * BATCH + i + 1);
        }
}

/* One reference more and less, by operations with results and without. */
static void give_up(void)
{
        for (unsigned i = 0; i < BATCH; i++)
                submit(FILEMEM_DO_INCREF, held[i], count);
        for (unsigned i = 0; i < BATCH; i++)
                submit(i % 2 ? FILEMEM_DO_RELEASE : FILEMEM_DO_DECREF, held[i], count);
        for (unsigned i = 0; i < BATCH; i++)
                submit(FILEMEM_DO_RELEASE, held[i], NULL);
        ck_assert_int_eq(filemem_flush(queue), 0);
}

START_TEST(what_a_queue_has_under_way_takes_effect_once)
{
        struct filemem_usage usage;
        unsigned rounds = KILLS * BETWEEN / harness_slowness();

        for (unsigned round = 0; round < rounds; round++) {
                held_count = 0;
                for (unsigned i = 0; i < BATCH; i++)
                        submit(FILEMEM_DO_ALLOCATE, (struct filemem_range){0, 0}, take);
                ck_assert_int_eq(filemem_flush(queue), 0);
                if (round % BETWEEN == 7)
                        kill_daemon();
                ck_assert_int_eq(filemem_wait(queue, 0), 0);
                ck_assert_uint_eq(held_count, BATCH);
                use(round);
                give_up();
                if (round % BETWEEN == 17)
                        kill_daemon();
        }
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(wrong, 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        ck_assert_int_eq(filemem_usage(session, &usage), 0);
        ck_assert_uint_eq(usage.allocated[FILEMEM_ANONYMOUS], 0);
        ck_assert_uint_gt(manager.starts, 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("survive_queue");
        TCase *tests = harness_case(suite, "queue", 120);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, what_a_queue_has_under_way_takes_effect_once);
        return harness_run(suite);
}
