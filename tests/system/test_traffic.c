// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/error.h"
#include "test_daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
        ck_assert_uint_lt(measure_pings(&raw), 20 * NSEC_PER_MSEC * harness_slowness());
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

/* ---- large answers --------------------------------------------------------------------------- */

#define ENTRIES      5000
#define MANY_ENTRIES UINT64_C(10000)

/* Pages of kinds that alternate, so that each is an entry of its own. */
static void allocate_entries(struct raw *raw, size_t count)
{
        struct raw_operation operations[250];

        for (size_t done = 0; done < count; done += 250) {
                const Filemem__Reply *reply;

                for (int i = 0; i < 250; i++)
                        raw_allocate(&operations[i], PAGE, 1 + i % 5);
                reply = raw_receive_reply(raw, raw_request(raw, operations, 250));
                ck_assert_uint_eq(reply->n_results, 250);
                for (int i = 0; i < 250; i++)
                        ck_assert_int_eq(reply->results[i]->status, 0);
        }
}

/* 256 times thousands of entries would keep the others waiting for the whole of it. */
START_TEST(batch_of_long_operations_leaves_others_their_turns)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX], ping;
        const Filemem__Reply *reply;
        struct daemon daemon;
        struct raw raw, honest;
        uint64_t id;

        daemon_start(&daemon, NULL);
        raw_open(&honest, daemon.socket, "honest");
        raw_open(&raw, daemon.socket, "long");
        allocate_entries(&raw, MANY_ENTRIES);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                if (i % 2)
                        raw_decref(&operations[i], 0, MANY_ENTRIES * PAGE);
                else
                        raw_incref(&operations[i], 0, MANY_ENTRIES * PAGE);
        }
        id = raw_request(&raw, operations, WIRE_OPERATIONS_MAX);
        raw_ping(&ping);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(raw_call(&honest, &ping)->status, 0);
        ck_assert(!raw_is_readable(&raw)); /* it is still at it */
        reply = raw_receive_reply(&raw, id);
        ck_assert_uint_eq(reply->n_results, WIRE_OPERATIONS_MAX);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++)
                ck_assert_int_eq(reply->results[i]->status, 0);
        raw_close(&raw);
        raw_close(&honest);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(session_that_dies_amid_long_operations_lets_go)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];
        Filemem__DumpEntry *entries;
        struct daemon daemon;
        struct raw raw, honest;
        size_t count = 1;

        daemon_start(&daemon, NULL);
        raw_open(&honest, daemon.socket, "honest");
        raw_open(&raw, daemon.socket, "long");
        allocate_entries(&raw, MANY_ENTRIES);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++)
                raw_incref(&operations[i], 0, MANY_ENTRIES * PAGE);
        raw_request(&raw, operations, WIRE_OPERATIONS_MAX);
        raw_close(&raw);
        for (int i = 0; i < 2000 && count; i++) {
                count = raw_dump_all(&honest, &entries);
                free(entries);
                poll(NULL, 0, 5);
        }
        ck_assert_uint_eq(count, 0);
        raw_close(&honest);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(paged_dump_of_thousands_of_entries_is_complete)
{
        Filemem__DumpEntry *entries;
        struct daemon daemon;
        struct raw raw;
        size_t count;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "rich");
        allocate_entries(&raw, ENTRIES);
        count = raw_dump_all(&raw, &entries);
        ck_assert_uint_eq(count, ENTRIES);
        for (size_t i = 0; i < count; i++) {
                ck_assert_uint_eq(entries[i].start, i * PAGE);
                ck_assert_uint_eq(entries[i].end, (i + 1) * PAGE);
                ck_assert_uint_eq(entries[i].kind, 1 + i % 5);
                ck_assert_uint_eq(entries[i].refs, 1);
        }
        free(entries);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

/* Each gets some room; together they stay below the limit, or raw_receive() would have failed. */
START_TEST(batch_of_256_dumps_stays_within_a_message)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];
        const Filemem__Reply *reply;
        struct daemon daemon;
        struct raw raw;
        size_t answered = 0;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "greedy");
        allocate_entries(&raw, ENTRIES);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++)
                raw_dump(&operations[i], 0, 0);
        reply = raw_receive_reply(&raw, raw_request(&raw, operations, WIRE_OPERATIONS_MAX));
        ck_assert_uint_eq(reply->n_results, WIRE_OPERATIONS_MAX);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                const Filemem__Result *result = reply->results[i];

                if (result->status == FILEMEM__STATUS__STATUS_EMSGSIZE) {
                        ck_assert_str_eq(result->text, error_text(OUTCOME_PAGE_NO_ROOM));
                        continue;
                }
                ck_assert_int_eq(result->status, 0);
                ck_assert_uint_ge(result->dump->n_entries, 1);
                ck_assert_uint_eq(result->dump->next,
                        result->dump->entries[result->dump->n_entries - 1]->end);
                answered++;
        }
        ck_assert_uint_ge(answered, 1);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(two_dumps_leave_room_for_the_small_results_behind_them)
{
        struct raw_operation operations[130];
        const Filemem__Reply *reply;
        struct daemon daemon;
        struct raw raw;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "mixed");
        allocate_entries(&raw, ENTRIES);
        raw_dump(&operations[0], 0, 0);
        raw_dump(&operations[1], 0, 0);
        for (int i = 2; i < 130; i++)
                raw_usage(&operations[i]);
        reply = raw_receive_reply(&raw, raw_request(&raw, operations, 130));
        ck_assert_uint_eq(reply->n_results, 130);
        ck_assert_uint_ge(reply->results[0]->dump->n_entries, 400);
        for (int i = 2; i < 130; i++)
                ck_assert_uint_eq(reply->results[i]->usage->n_kinds, 6);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(batch_of_256_of_the_largest_small_results_fits)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];
        const Filemem__Reply *reply;
        struct daemon daemon;
        struct raw raw;

        daemon_start(&daemon, NULL);
        raw_open(&raw, daemon.socket, "curious");
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                if (i % 3 == 0)
                        raw_usage(&operations[i]);
                else if (i % 3 == 1)
                        raw_daemon_status(&operations[i]);
                else
                        raw_pool_info(&operations[i]);
        }
        reply = raw_receive_reply(&raw, raw_request(&raw, operations, WIRE_OPERATIONS_MAX));
        ck_assert_uint_eq(reply->n_results, WIRE_OPERATIONS_MAX);
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++)
                ck_assert_int_eq(reply->results[i]->status, 0);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

/* ---- many sessions --------------------------------------------------------------------------- */

#define SESSIONS 300

START_TEST(paged_list_of_sessions_is_complete)
{
        static struct raw raws[SESSIONS];
        struct raw_operation operation;
        struct daemon daemon;
        uint64_t after = 0;
        size_t found = 0;

        daemon_start(&daemon, NULL);
        for (int i = 0; i < SESSIONS; i++)
                raw_open(&raws[i], daemon.socket, "one of many");
        do {
                const Filemem__SessionsPage *page;

                raw_sessions(&operation, after, 70);
                page = raw_do(&raws[0], &operation)->sessions;
                ck_assert_uint_le(page->n_sessions, 70);
                for (size_t i = 0; i < page->n_sessions; i++, found++) {
                        ck_assert_uint_eq(page->sessions[i]->session, raws[found].session);
                        ck_assert_int_eq(page->sessions[i]->pid, getpid());
                        ck_assert_str_eq(page->sessions[i]->label, "one of many");
                }
                after = page->next;
        } while (after);
        ck_assert_uint_eq(found, SESSIONS);
        for (int i = 0; i < SESSIONS; i++)
                raw_close(&raws[i]);
        daemon_stop(&daemon);
}
END_TEST

/* Only root can be two users; another user's tests see what they may, their own. */
START_TEST(sessions_of_other_users_are_not_listed)
{
        struct raw_operation operation;
        struct raw own, other;
        struct daemon daemon;
        bool root = geteuid() == 0;

        daemon_start(&daemon, "[daemon]\nsocket_mode = 0666\n");
        ck_assert_int_eq(chmod(daemon.folder, 0755), 0);
        raw_open(&own, daemon.socket, "own");
        if (root)
                ck_assert_int_eq(seteuid(65534), 0);
        raw_open(&other, daemon.socket, "other");
        if (root)
                ck_assert_int_eq(seteuid(0), 0);
        raw_sessions(&operation, 0, 0);
        ck_assert_uint_eq(raw_do(&own, &operation)->sessions->n_sessions, 2);
        ck_assert_uint_eq(raw_do(&other, &operation)->sessions->n_sessions, root ? 1 : 2);
        raw_close(&other);
        raw_close(&own);
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
        tcase_add_test(tests, batch_of_long_operations_leaves_others_their_turns);
        tcase_add_test(tests, session_that_dies_amid_long_operations_lets_go);
        tcase_add_test(tests, paged_dump_of_thousands_of_entries_is_complete);
        tcase_add_test(tests, batch_of_256_dumps_stays_within_a_message);
        tcase_add_test(tests, two_dumps_leave_room_for_the_small_results_behind_them);
        tcase_add_test(tests, batch_of_256_of_the_largest_small_results_fits);
        tcase_add_test(tests, paged_list_of_sessions_is_complete);
        tcase_add_test(tests, sessions_of_other_users_are_not_listed);
}
