// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "test_daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* ---- floods ---------------------------------------------------------------------------------- */

/* Sends the most expensive questions as fast as it can, for ever, and reads nothing. */
static void flood_deaf(struct raw *raw)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];

        for (int i = 0; i < (int)WIRE_OPERATIONS_MAX; i++)
                raw_dump(&operations[i], 0, 0);
        while (raw_try_request(raw, operations, WIRE_OPERATIONS_MAX) == 0)
                ;
}

/* The same with replies that it takes: it is never stopped by its own queue. */
static void flood_reading(struct raw *raw)
{
        struct raw_operation operations[64];

        for (int i = 0; i < 64; i++)
                raw_usage(&operations[i]);
        for (;;) {
                for (int i = 0; i < 8; i++)
                        raw_request(raw, operations, 64);
                for (int i = 0; i < 8; i++)
                        raw_receive(raw);
        }
}

static pid_t start_flood(const struct daemon *daemon, void (*flood)(struct raw *raw))
{
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                struct raw raw;

                raw_open(&raw, daemon->socket, "flood");
                flood(&raw);
                for (;;)
                        pause();
        }
        return pid;
}

static size_t resident(const struct daemon *daemon)
{
        char path[64], text[128] = {0}, *end;
        unsigned long pages;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/statm", (int)daemon->pid);
        file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
        fclose(file);
        strtoul(text, &end, 10); /* the first number is the size */
        pages = strtoul(end, NULL, 10);
        ck_assert_uint_gt(pages, 0);
        return pages * PAGE;
}

static int compare_times(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* The middle of how long so many pings took, in ns. */
static uint64_t measure_pings(struct raw *raw)
{
        uint64_t times[201];

        for (int i = 0; i < 201; i++) {
                struct raw_operation operation;
                uint64_t begun = clock_now();

                raw_ping(&operation);
                raw_do(raw, &operation);
                times[i] = clock_now() - begun;
        }
        qsort(times, 201, sizeof(times[0]), compare_times);
        return times[100];
}

/* The machine may have others to serve for a moment, and a flood that starves us does not end. */
static bool pings_are_quick(struct raw *raw)
{
        for (int i = 0; i < 5; i++)
                if (measure_pings(raw) < 20 * NSEC_PER_MSEC * harness_slowness())
                        return true;
        return false;
}

static void check_flood(void (*flood)(struct raw *raw))
{
        struct daemon daemon;
        struct raw raw;
        pid_t floods[4];
        size_t before;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "honest");
        for (int i = 0; i < 500; i++)
                raw_get(&raw, PAGE, 1 + i % 2);
        before = resident(&daemon);
        for (int i = 0; i < 4; i++)
                floods[i] = start_flood(&daemon, flood);
        usleep(100000); /* so that the flood has risen */
        ck_assert(pings_are_quick(&raw));
        ck_assert_uint_lt(resident(&daemon), before + (UINT64_C(32) << 20) * harness_slowness());
        for (int i = 0; i < 4; i++) {
                kill(floods[i], SIGKILL);
                waitpid(floods[i], NULL, 0);
        }
        raw_close(&raw);
        daemon_stop(&daemon);
}

START_TEST(flood_that_is_not_read_hurts_itself_alone)
{
        check_flood(flood_deaf);
}
END_TEST

START_TEST(flood_that_is_read_leaves_others_their_turns)
{
        check_flood(flood_reading);
}
END_TEST

/* ---- order ----------------------------------------------------------------------------------- */

START_TEST(replies_come_in_the_order_of_the_requests)
{
        struct daemon daemon;
        struct raw raw;
        uint64_t start, first;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "orderly");
        start = raw_get(&raw, 4 * PAGE, 1);
        for (int round = 0; round < 20; round++) {
                first = raw.next_id;
                for (int i = 0; i < 40; i++) {
                        struct raw_operation operations[3];

                        raw_ping(&operations[0]);
                        raw_ping(&operations[1]);
                        raw_ping(&operations[2]);
                        if (i % 3 == 1)
                                raw_decommit(&operations[i % 2], start, start + PAGE, false);
                        if (i % 5 == 2)
                                raw_update_usage(&operations[2]);
                        raw_request(&raw, operations, 3);
                }
                for (uint64_t id = first; id < first + 40; id++) {
                        const Filemem__Reply *reply = raw_receive_reply(&raw, id);

                        ck_assert_uint_eq(reply->n_results, 3);
                        for (int i = 0; i < 3; i++)
                                ck_assert_int_eq(reply->results[i]->status, 0);
                }
        }
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

/* A decommit that is waited for is done before the decref behind it, in this or the next request.
 */
START_TEST(operations_behind_a_parked_one_are_done_after_it)
{
        struct raw_operation operations[3];
        const Filemem__Reply *reply;
        struct daemon daemon;
        struct raw raw;
        uint64_t start, first;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "orderly");
        for (int round = 0; round < 100; round++) {
                start = raw_get(&raw, 4 * PAGE, 1);
                raw_decommit(&operations[0], start, start + 2 * PAGE, false);
                raw_decref(&operations[1], start, start + 2 * PAGE);
                raw_decommit(&operations[2], start, start + PAGE, false);
                first = raw_request(&raw, operations, 3);
                raw_decref(&operations[0], start + 2 * PAGE, start + 4 * PAGE);
                raw_request(&raw, operations, 1);
                reply = raw_receive_reply(&raw, first);
                ck_assert_int_eq(reply->results[0]->status, 0);
                ck_assert_int_eq(reply->results[1]->status, 0);
                ck_assert_int_eq(reply->results[2]->status, ENOENT);
                reply = raw_receive_reply(&raw, first + 1);
                ck_assert_int_eq(reply->results[0]->status, 0);
        }
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(whole_batch_of_parked_operations_is_done)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];
        const Filemem__Reply *reply;
        struct daemon daemon;
        struct raw raw;
        uint64_t start;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "patient");
        start = raw_get(&raw, PAGE * WIRE_OPERATIONS_MAX, 1);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                if (i % 2)
                        raw_update_usage(&operations[i]);
                else
                        raw_decommit(
                                &operations[i], start + i * PAGE, start + (i + 1) * PAGE, false);
        }
        reply = raw_receive_reply(&raw, raw_request(&raw, operations, WIRE_OPERATIONS_MAX));
        ck_assert_uint_eq(reply->n_results, WIRE_OPERATIONS_MAX);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                ck_assert_int_eq(reply->results[i]->status, 0);
                ck_assert_int_eq(reply->results[i]->usage != NULL, i % 2);
        }
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

void add_traffic_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "traffic", 60);

        tcase_add_test(tests, flood_that_is_not_read_hurts_itself_alone);
        tcase_add_test(tests, flood_that_is_read_leaves_others_their_turns);
        tcase_add_test(tests, replies_come_in_the_order_of_the_requests);
        tcase_add_test(tests, operations_behind_a_parked_one_are_done_after_it);
        tcase_add_test(tests, whole_batch_of_parked_operations_is_done);
}
