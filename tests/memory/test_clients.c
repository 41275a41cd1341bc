// SPDX-License-Identifier: Apache-2.0
/*
 * Client processes write, read and punch at random, wherever they like, while references change,
 * ranges are decommitted, the reclaim thread gives back and the scan thread counts. Whenever
 * everybody rests the numbers have to be exact: for each kind, and in sum.
 */
#include "memory/fixture.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 3u
#define HOLDERS 3u
#define PAGES   2048u
#define ROUNDS  40u

static uint32_t draw(uint64_t *random, uint32_t below)
{
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        return (uint32_t)(*random % below);
}

/* Short ones mostly. */
static struct range draw_range(uint64_t *random)
{
        uint64_t start = draw(random, PAGES);
        uint64_t end = start + 1 + draw(random, draw(random, 8) ? 16 : 400);

        return pages(start, end < PAGES ? end : PAGES);
}

/* ---- clients: processes that know nothing but the file -----------------------------------------
 */

static struct client {
        pid_t pid;
        int socket;
} clients[CLIENTS];

static bool client_step(volatile unsigned char *base, uint64_t *random)
{
        struct range range = draw_range(random);
        uint32_t what = draw(random, 8), stride = 1 + draw(random, 3);

        if (what == 0)
                return fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               (off_t)range.start, (off_t)(range.end - range.start)) == 0;
        for (uint64_t at = range.start; at < range.end; at += stride * FIXTURE_PAGE) {
                if (what < 3)
                        (void)base[at]; /* that commits the page too */
                else
                        base[at] = (unsigned char)what;
        }
        return true;
}

/* What a client has to do; a byte says that it is done. */
struct order {
        uint64_t seed;
        unsigned steps;
};

static _Noreturn void client_run(int fd)
{
        void *base = mmap(
                NULL, PAGES * FIXTURE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd(pool), 0);
        bool worked = base != MAP_FAILED;
        struct order order;
        char byte = 0;

        while (worked && read(fd, &order, sizeof(order)) == sizeof(order)) {
                for (unsigned i = 0; i < order.steps && worked; i++)
                        worked = client_step(base, &order.seed);
                worked = worked && write(fd, &byte, 1) == 1;
        }
        _exit(worked ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void begin_client(struct client *client)
{
        int pair[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        client->pid = fork();
        ck_assert_int_ge(client->pid, 0);
        if (client->pid == 0) {
                for (unsigned i = 0; i < CLIENTS; i++)
                        if (clients[i].socket > 0)
                                close(clients[i].socket);
                close(pair[0]);
                client_run(pair[1]);
        }
        close(pair[1]);
        client->socket = pair[0];
}

static void end_client(struct client *client)
{
        int status;

        close(client->socket);
        ck_assert_int_eq(waitpid(client->pid, &status, 0), client->pid);
        ck_assert_int_eq(status, 0);
}

/* ---- what the server does meanwhile ------------------------------------------------------------
 */

static struct holder *holders[HOLDERS];

struct answer {
        struct pool_job job;
        _Atomic bool done;
        _Atomic int result;
};

static void note_answer(struct pool_job *job, int result)
{
        struct answer *answer = (struct answer *)job;

        atomic_store(&answer->result, result);
        atomic_store(&answer->done, true);
}

static int await(struct answer *answer)
{
        uint64_t deadline = clock_now() + 30 * NSEC_PER_SEC;
        struct timespec moment = {.tv_nsec = 50000};

        while (!atomic_load(&answer->done)) {
                ck_assert_uint_lt(clock_now(), deadline);
                nanosleep(&moment, NULL);
        }
        return atomic_load(&answer->result);
}

static void server_decommit(struct holder *holder, struct range range)
{
        struct answer answer = {.job.done = note_answer};
        int r;

        pool_decommit(&answer.job, holder, range, true);
        r = await(&answer);
        ck_assert(r == 0 || r == OUTCOME_NOT_ALLOCATED || r == OUTCOME_NOT_HELD);
}

static void update_usage(void)
{
        struct answer answer = {.job.done = note_answer};

        pool_update_usage(&answer.job, pool);
        ck_assert_int_eq(await(&answer), 0);
}

/* Verified, committed or both: that is done on the reclaim thread, against all that clients do. */
static struct range server_prepare(struct holder *holder, uint64_t length, uint32_t how)
{
        struct answer answer = {.job.done = note_answer};

        pool->zero_verify = how & 1;
        pool_prepare(&answer.job, holder, length, how % KIND_COUNT, how & 2);
        pool->zero_verify = false;
        ck_assert_int_eq(await(&answer), 0);
        return answer.job.range;
}

static void server_step(uint64_t *random)
{
        struct holder **holder = &holders[draw(random, HOLDERS)];
        uint32_t what = draw(random, 100);
        struct range range = draw_range(random);
        uint64_t size;

        if (what < 35) {
                uint64_t length = (1 + draw(random, 24)) * FIXTURE_PAGE;

                if (what < 10)
                        range = server_prepare(*holder, length, draw(random, UINT32_MAX));
                else
                        ck_assert_int_eq(pool_allocate(*holder, length, draw(random, KIND_COUNT),
                                                 &range, &size),
                                0);
                if (range.end > PAGES * FIXTURE_PAGE) /* where no client is */
                        ck_assert_int_eq(pool_decref(*holder, range), 0);
        } else if (what < 50) {
                ck_assert_int_ge(pool_incref(*holder, range), 0);
        } else if (what < 85) {
                ck_assert_int_ge(pool_decref(*holder, range), 0);
        } else if (what < 92) {
                server_decommit(*holder, range);
        } else if (what < 93) {
                *holder = holder_free(*holder);
                ck_assert_int_eq(holder_new(pool, holder), 0);
        } else {
                update_usage();
        }
}

/* ---- when everybody rests ----------------------------------------------------------------------
 */

/* What a scan that began after this call found, whatever the budget makes us wait. */
static struct pool_usage fresh_usage(void)
{
        uint64_t asked = clock_now(), deadline = asked + 30 * NSEC_PER_SEC;
        struct timespec moment = {.tv_nsec = 1000000};
        struct pool_usage usage;

        for (;;) {
                update_usage();
                pool_usage(pool, &usage);
                if (usage.scanned_at > asked)
                        return usage;
                ck_assert_uint_lt(clock_now(), deadline);
                nanosleep(&moment, NULL);
        }
}

static bool scrubbing(void)
{
        LOCK_SCOPE(&pool->lock);

        return pool->scrub;
}

static void let_settle(void)
{
        uint64_t deadline = clock_now() + 30 * NSEC_PER_SEC;
        struct pool_usage usage;

        do {
                ck_assert_uint_lt(clock_now(), deadline);
                usage = fresh_usage();
        } while (usage.stray || usage.reclaimable || scrubbing());
}

/* Each kind is counted again, from the dump and in the other way. */
static void expect_exact(enum accounting other)
{
        struct pool_usage usage = fresh_usage();
        uint64_t committed[KIND_COUNT] = {0}, next = 0, sum = 0;
        struct pool_entry entries[64];
        struct account_count count;

        do {
                size_t length = pool_dump(pool, next, entries, 64, &next);

                for (size_t i = 0; i < length; i++) {
                        ck_assert_int_eq(
                                account_count(other, &pool->file, entries[i].range, &count), 0);
                        ck_assert_uint_eq(entries[i].committed, count.committed);
                        committed[entries[i].kind] += count.committed;
                }
        } while (next);
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ck_assert_uint_eq(usage.committed[kind], committed[kind]);
                sum += committed[kind];
        }
        ck_assert_uint_eq(usage.reclaimable, 0);
        ck_assert_uint_eq(usage.stray, 0);
        ck_assert_uint_eq(sum, usage.total);
        ck_assert_uint_eq(sum, stored());
        ck_assert(usage.exact);
}

/* So many steps of each client, and of the server meanwhile. */
static void run_round(uint64_t *random, unsigned client_steps, unsigned server_steps)
{
        char byte;

        for (unsigned i = 0; i < CLIENTS; i++) {
                struct order order = {.seed = draw(random, UINT32_MAX) + 1, .steps = client_steps};

                ck_assert_int_eq(write(clients[i].socket, &order, sizeof(order)), sizeof(order));
        }
        for (unsigned i = 0; i < server_steps; i++)
                server_step(random);
        for (unsigned i = 0; i < CLIENTS; i++)
                ck_assert_int_eq(read(clients[i].socket, &byte, 1), 1);
        pool_validate(pool);
}

START_TEST(the_numbers_are_exact_whenever_everybody_rests)
{
        uint64_t random = UINT64_C(88172645463325252) + (unsigned)_i;
        enum accounting other = _i == 1 ? memory->accounting : ACCOUNTING_SEEK;
        unsigned rounds = ROUNDS / harness_slowness();

        if (_i == 1)
                memory->accounting = ACCOUNTING_SEEK;
        if (_i == 2)
                memory->rest_pages = 1; /* few entries are large enough else */
        for (unsigned i = 0; i < CLIENTS; i++)
                begin_client(&clients[i]);
        for (unsigned i = 0; i < HOLDERS; i++)
                ck_assert_int_eq(holder_new(pool, &holders[i]), 0);
        ck_assert_int_eq(memory_start(memory), 0);
        for (unsigned i = 0; i < rounds; i++) {
                run_round(&random, 400, 300);
                let_settle();
                expect_exact(other);
                /* Now no entry is an estimate, and a scan may believe that nothing has changed. */
                run_round(&random, 1, 0);
                let_settle();
                expect_exact(other);
        }
        for (unsigned i = 0; i < CLIENTS; i++)
                end_client(&clients[i]);
        for (unsigned i = 0; i < HOLDERS; i++)
                holder_free(holders[i]);
        let_settle();
        ck_assert_uint_eq(stored(), 0);
        memory_stop(memory);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("clients");
        TCase *processes = harness_case(suite, "processes", 100);

        tcase_add_checked_fixture(processes, fixture_set_up, fixture_tear_down);
        tcase_add_loop_test(processes, the_numbers_are_exact_whenever_everybody_rests, 0, 3);
        return harness_run(suite);
}
