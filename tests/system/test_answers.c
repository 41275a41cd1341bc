// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "test_daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

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

void add_answer_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "answers", 60);

        tcase_add_test(tests, batch_of_long_operations_leaves_others_their_turns);
        tcase_add_test(tests, session_that_dies_amid_long_operations_lets_go);
        tcase_add_test(tests, paged_dump_of_thousands_of_entries_is_complete);
        tcase_add_test(tests, batch_of_256_dumps_stays_within_a_message);
        tcase_add_test(tests, two_dumps_leave_room_for_the_small_results_behind_them);
        tcase_add_test(tests, batch_of_256_of_the_largest_small_results_fits);
        tcase_add_test(tests, paged_list_of_sessions_is_complete);
        tcase_add_test(tests, sessions_of_other_users_are_not_listed);
}
