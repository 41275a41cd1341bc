// SPDX-License-Identifier: Apache-2.0
/* All that the library can do, by many threads at once, with the real daemon. */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 16u
#define PAGE    UINT64_C(4096)
#define MIB     (UINT64_C(1) << 20)

static struct daemon the_daemon;
static filemem_session *session;
static filemem_queue *queue;
static atomic_uint wrong;

/* What is not as it should be is counted, and the first of it said. */
#define expect(condition)                                                                          \
        do {                                                                                       \
                if (!(condition) && atomic_fetch_add(&wrong, 1) == 0)                              \
                        fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,        \
                                filemem_last_error(session));                                      \
        } while (0)

static void start(void)
{
        daemon_start(&the_daemon, NULL);
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
}

static void stop(void)
{
        filemem_queue_close(queue);
        filemem_close(session);
        daemon_stop(&the_daemon);
}

/* ---- what a thread does ------------------------------------------------------------------------
 */

/* Memory is its own: what it writes is there until it gives it up, and then zero. */
static void use_memory(unsigned number, unsigned round)
{
        uint64_t length = PAGE * (1 + round % 7), *words;
        struct filemem_range range;
        void *address;

        expect(filemem_allocate(
                       session, length, (enum filemem_kind)(round % FILEMEM_KINDS), &range) == 0);
        expect(filemem_map(session, range, PROT_READ | PROT_WRITE, &address) == 0);
        words = address;
        expect(words[0] == 0 && words[length / 8 - 1] == 0);
        words[0] = words[length / 8 - 1] = number + 1;
        expect(filemem_incref(session, range) == 0);
        expect(filemem_release(session, range) == 0);
        expect(words[0] == number + 1 && words[length / 8 - 1] == number + 1);
        if (round % 5 == 0) {
                expect(filemem_decommit(session, range, 0) == 0);
                expect(words[0] == 0);
        }
        if (round % 2)
                expect(filemem_decref(session, range) == 0);
        else
                expect(filemem_release(session, range) == 0);
}

static void map_into(unsigned round)
{
        struct filemem_range range;
        struct filemem_block blocks[4];
        void *address;

        expect(filemem_allocate_mode(session, MIB, FILEMEM_ANONYMOUS,
                       (enum filemem_mode)(round % 3), &range) == 0);
        expect(filemem_map_into(session, range, NULL, PROT_READ | PROT_WRITE, FILEMEM_MAP_PRECOMMIT,
                       &address) == 0);
        expect(munmap(address, MIB) == 0);
        expect(filemem_map_blocks(session, range, PROT_READ, blocks, 4) >= 1);
        expect(filemem_release(session, range) == 0);
}

static void ask(void)
{
        struct filemem_session_info infos[4];
        struct filemem_limit limits[8];
        struct filemem_entry entries[4];
        struct filemem_status status;
        struct filemem_usage usage;
        struct filemem_pool pool;
        uint64_t number;

        expect(filemem_ping(session) == 0);
        expect(filemem_usage(session, &usage) == 0);
        expect(filemem_update_usage(session, &usage) == 0);
        expect(filemem_total_usage(session, &number) == 0);
        expect(filemem_total_size(session, &number) == 0);
        expect(filemem_pool_info(session, &pool) == 0);
        expect(filemem_pools(session, 0, &pool, 1) >= 0);
        expect(filemem_status(session, &status) == 0);
        expect(filemem_sessions(session, 0, infos, 4) >= 1);
        expect(filemem_dump(session, 0, entries, 4) >= 0);
        expect(filemem_limits(session, limits, 8) > 0);
        expect(filemem_fd(session) >= 0);
        expect(filemem_lost_errors(session, NULL, NULL, 0) == 0);
}

static void open_peer(void)
{
        filemem_session *mine;
        struct filemem_range range;
        int fd;

        expect(filemem_open_peer(session, NULL, &fd) == 0);
        expect(filemem_open_fd(fd, NULL, &mine) == 0);
        expect(filemem_allocate(mine, PAGE, FILEMEM_TMPFS, &range) == 0);
        /* Of an allocation of one session another one may take a reference. */
        expect(filemem_incref(session, range) == 0);
        filemem_close(mine);
        expect(filemem_decref(session, range) == 0);
}

static void be_refused(void)
{
        const struct filemem_range nobodys = {
                filemem_capacity(session) - PAGE, filemem_capacity(session)};

        expect(filemem_decref(session, nobodys) == -ENOENT);
        expect(filemem_last_error(session)[0] != '\0');
        expect(filemem_destroy_pool(session, "there is no such pool") < 0);
        expect(filemem_kick_session(session, UINT64_MAX) < 0);
}

/* Some are late, and then nothing may be left of them. */
static void be_hasty(unsigned round)
{
        uint64_t before = filemem_set_timeout(round % 40 * UINT64_C(1000));
        struct filemem_range range;
        int r = filemem_allocate(session, PAGE, FILEMEM_SYSTEM, &range);

        expect(r == 0 || r == -ETIMEDOUT);
        filemem_set_timeout(before);
        if (r == 0)
                expect(filemem_decref(session, range) == 0);
}

static void completed(const struct filemem_completion *completion)
{
        const struct filemem_operation release = {
                .code = FILEMEM_DO_RELEASE, .range = completion->range};

        expect(completion->result == 0);
        atomic_fetch_add((atomic_uint *)completion->data, 1);
        if (completion->code == FILEMEM_DO_ALLOCATE)
                expect(filemem_submit(queue, &release, 1) == 0);
}

static void use_queue(atomic_uint *count)
{
        unsigned before = atomic_load(count);
        struct filemem_operation one = {
                .code = FILEMEM_DO_ALLOCATE, .length = PAGE, .done = completed, .data = count};

        for (unsigned i = 0; i < 20; i++) {
                one.code = i % 4 ? FILEMEM_DO_ALLOCATE : FILEMEM_DO_UPDATE_USAGE;
                expect(filemem_submit(queue, &one, 1) == 0);
        }
        expect(filemem_flush(queue) == 0);
        while (atomic_load(count) < before + 20) {
                expect(filemem_dispatch(queue) >= 0);
                expect(filemem_wait(queue, 10) == 0);
        }
}

static void *do_everything(void *argument)
{
        unsigned number = (unsigned)(uintptr_t)argument;
        atomic_uint count = 0;

        for (unsigned round = 0; round < 200 / harness_slowness(); round++) {
                use_memory(number, round);
                if (round % 8 == number % 8)
                        ask();
                if (round % 16 == number)
                        open_peer();
                if (round % 10 == number % 10)
                        map_into(round);
                if (round % 4 == number % 4)
                        be_refused();
                be_hasty(round);
                use_queue(&count);
        }
        return NULL;
}

START_TEST(sixteen_threads_do_everything_at_once_and_leave_nothing)
{
        pthread_t threads[THREADS];
        struct filemem_usage usage;
        uint64_t held = 0;

        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, do_everything, (void *)i), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&wrong), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        /* What came too late is given back when its answer is taken in, which this sees to. */
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_usage(session, &usage), 0);
        for (int i = 0; i < FILEMEM_KINDS; i++)
                held += usage.allocated[i];
        ck_assert_uint_eq(held, 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("stress");
        TCase *tests = harness_case(suite, "stress", 120);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, sixteen_threads_do_everything_at_once_and_leave_nothing);
        return harness_run(suite);
}
