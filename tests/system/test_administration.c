// SPDX-License-Identifier: Apache-2.0
#include "test_pools.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG "[pool default]\ncapacity = 64M\n[pool second]\ncapacity = 64M\njoin = *\n"

static void start(void)
{
        daemon_start(&the_daemon, CONFIG);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

static void reload(struct raw *raw, const char *config)
{
        struct raw_operation operation;

        daemon_write_config(&the_daemon, config);
        raw_reload(&operation);
        raw_do(raw, &operation);
}

/* ---- reload ---------------------------------------------------------------------------------- */

START_TEST(reload_makes_new_pools_and_changes_rules)
{
        Filemem__Hello hello = hello_for("third");
        struct raw admin, raw;

        raw_open(&admin, the_daemon.socket, "");
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_ENOENT);
        reload(&admin, CONFIG "[pool third]\njoin = *\ncapacity = 16M\n");
        join(&raw, &hello);
        ck_assert_uint_eq(raw.capacity, 16 * MIB);
        fill(&raw, PAGE);
        raw_close(&raw);
        raw_close(&admin);
}
END_TEST

START_TEST(bad_file_changes_nothing_and_is_named)
{
        Filemem__Hello hello = hello_for("third");
        struct raw_operation operation;
        const Filemem__Result *result;
        struct raw admin;
        char expected[256];

        raw_open(&admin, the_daemon.socket, "");
        daemon_write_config(&the_daemon, "[pool third]\njoin = *\nexec = perhaps\n");
        raw_reload(&operation);
        result = raw_call(&admin, &operation);
        ck_assert_int_eq(result->status, FILEMEM__STATUS__STATUS_EINVAL);
        snprintf(expected, sizeof(expected), "%s/filememd.conf:3: exec: 'perhaps' is not yes or no",
                the_daemon.folder);
        ck_assert_str_eq(result->text, expected);
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_ENOENT);
        hello = hello_for("second");
        await_pools(&admin, 2);
        reload(&admin, CONFIG);
        raw_close(&admin);
}
END_TEST

START_TEST(vanished_pool_is_drained)
{
        Filemem__Hello hello = hello_for("second");
        struct raw_operation operation;
        struct raw admin, raw, peer;
        int memfd;

        raw_open(&admin, the_daemon.socket, "");
        join(&raw, &hello);
        fill(&raw, MIB);
        memfd = keep_memfd(&raw);
        reload(&admin, "[pool default]\ncapacity = 64M\n");
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_ENOENT);
        raw_pool_info(&operation);
        ck_assert_int_eq(
                raw_do(&raw, &operation)->pool_info->state, FILEMEM__POOL_STATE__POOL_DRAINING);
        /* Who is in it goes on, and may let others in. */
        fill(&raw, PAGE);
        open_peer(&raw, false, "", &peer);
        raw_close(&raw);
        fill(&peer, PAGE);
        await_pools(&admin, 2);
        raw_close(&peer);
        await_pools(&admin, 1);
        await_empty(memfd);
        raw_close(&admin);
}
END_TEST

START_TEST(draining_pool_that_is_named_again_is_open_again)
{
        Filemem__Hello hello = hello_for("second");
        struct raw admin, raw, again;
        uint64_t start;
        char byte = 0;

        raw_open(&admin, the_daemon.socket, "");
        join(&raw, &hello);
        start = fill(&raw, PAGE);
        reload(&admin, "[pool default]\ncapacity = 64M\n");
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_ENOENT);
        reload(&admin, CONFIG);
        join(&again, &hello);
        ck_assert_int_eq(pread(again.memfd, &byte, 1, (off_t)start), 1);
        ck_assert_int_eq(byte, 'x');
        raw_close(&again);
        raw_close(&raw);
        await_pools(&admin, 2);
        raw_close(&admin);
}
END_TEST

START_TEST(hangup_reads_the_configuration_again)
{
        struct raw admin;

        raw_open(&admin, the_daemon.socket, "");
        daemon_write_config(&the_daemon, "[bad\n");
        ck_assert_int_eq(kill(the_daemon.pid, SIGHUP), 0);
        daemon_write_config(&the_daemon, CONFIG "[pool third]\n");
        ck_assert_int_eq(kill(the_daemon.pid, SIGHUP), 0);
        await_pools(&admin, 3);
        raw_close(&admin);
}
END_TEST

/* Many at once, some of which do not wait for the answer. */
START_TEST(reloads_are_all_answered)
{
        struct raw_operation operations[4];
        struct raw raws[8];
        uint64_t ids[8];

        for (int i = 0; i < 4; i++)
                raw_reload(&operations[i]);
        for (int i = 0; i < 8; i++)
                raw_open(&raws[i], the_daemon.socket, "");
        for (int i = 0; i < 8; i++)
                ids[i] = raw_request(&raws[i], operations, 4);
        for (int i = 0; i < 4; i++)
                raw_close(&raws[i]);
        for (int i = 4; i < 8; i++) {
                const Filemem__Reply *reply = raw_receive_reply(&raws[i], ids[i]);

                ck_assert_uint_eq(reply->n_results, 4);
                for (int j = 0; j < 4; j++)
                        ck_assert_int_eq(reply->results[j]->status, FILEMEM__STATUS__STATUS_OK);
                raw_close(&raws[i]);
        }
}
END_TEST

START_TEST(daemon_stops_during_a_reload)
{
        struct raw_operation operation;
        struct raw raw;

        raw_open(&raw, the_daemon.socket, "");
        raw_reload(&operation);
        for (int i = 0; i < 20; i++)
                raw_request(&raw, &operation, 1);
        daemon_stop(&the_daemon);
        raw_close(&raw);
        start();
}
END_TEST

/* ---- destroy --------------------------------------------------------------------------------- */

/* Replies come, as many as there may be, and then the Goodbye. */
static void check_destroyed(struct raw *raw, Filemem__Status status)
{
        const Filemem__ToClient *message;

        do {
                message = raw_receive(raw);
                ck_assert_ptr_nonnull(message);
        } while (message->body_case == FILEMEM__TO_CLIENT__BODY_REPLY);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
        ck_assert_int_eq(message->goodbye->status, status);
        raw_receive_end(raw);
}

START_TEST(destroyed_pool_answers_what_was_sent_and_is_gone)
{
        Filemem__Hello hello = hello_for("second");
        struct raw_operation operation;
        struct raw admin, raws[4];
        uint64_t last[4] = {0};
        int memfd;

        raw_open(&admin, the_daemon.socket, "");
        for (int i = 0; i < 4; i++) {
                join(&raws[i], &hello);
                fill(&raws[i], 4 * MIB);
        }
        memfd = keep_memfd(&raws[0]);
        raw_allocate(&operation, PAGE, 1);
        for (int i = 0; i < 400; i++)
                last[i % 4] = raw_request(&raws[i % 4], &operation, 1);
        raw_destroy_pool(&operation, "second");
        raw_do(&admin, &operation);
        for (int i = 0; i < 4; i++) {
                const Filemem__ToClient *message;
                uint64_t seen = 0;

                while ((message = raw_receive(&raws[i]))->body_case ==
                        FILEMEM__TO_CLIENT__BODY_REPLY)
                        seen = message->reply->id;
                ck_assert_uint_eq(seen, last[i]);
                ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
                ck_assert_str_eq(
                        message->goodbye->text, "the pool was destroyed by an administrator");
                raw_receive_end(&raws[i]);
        }
        await_pools(&admin, 1);
        await_empty(memfd);
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_ENOENT);
        reload(&admin, CONFIG); /* which names it still: a new one */
        await_pools(&admin, 2);
        for (int i = 0; i < 4; i++)
                raw_close(&raws[i]);
        raw_close(&admin);
}
END_TEST

/* It never reads, and is blocked: its time ends all the same. */
START_TEST(session_that_never_reads_does_not_keep_a_destroyed_pool)
{
        Filemem__Hello hello = hello_for("second");
        struct raw_operation operation;
        struct raw admin, deaf, unused;

        raw_open(&admin, the_daemon.socket, "");
        join(&deaf, &hello);
        fill(&deaf, MIB);
        raw_open_peer(&operation, false, "");
        raw_do(&deaf, &operation);
        raw_adopt(&unused, deaf.peer);
        deaf.peer = -1;
        raw_dump(&operation, 0, 0);
        for (int i = 0; i < 20000; i++) {
                struct pollfd poll_fd = {.fd = deaf.fd, .events = POLLOUT};

                if (poll(&poll_fd, 1, 100) != 1)
                        break;
                raw_request(&deaf, &operation, 1);
        }
        raw_destroy_pool(&operation, "second");
        raw_do(&admin, &operation);
        check_destroyed(&unused, FILEMEM__STATUS__STATUS_ENOENT);
        await_pools(&admin, 1);
        raw_close(&unused);
        raw_close(&deaf);
        raw_close(&admin);
}
END_TEST

START_TEST(pool_of_the_one_who_destroys_it_is_destroyed)
{
        struct raw_operation operations[3];
        struct raw raw;
        uint64_t id;

        raw_open(&raw, the_daemon.socket, "");
        raw_destroy_pool(&operations[0], "default");
        raw_destroy_pool(&operations[1], "default");
        raw_open_peer(&operations[2], false, "");
        id = raw_request(&raw, operations, 3);
        {
                const Filemem__Reply *reply = raw_receive_reply(&raw, id);

                ck_assert_int_eq(reply->results[0]->status, FILEMEM__STATUS__STATUS_OK);
                ck_assert_int_eq(reply->results[1]->status, FILEMEM__STATUS__STATUS_ENOENT);
                ck_assert_int_eq(reply->results[2]->status, FILEMEM__STATUS__STATUS_ENOENT);
        }
        check_destroyed(&raw, FILEMEM__STATUS__STATUS_ENOENT);
        raw_close(&raw);
}
END_TEST

START_TEST(pool_is_destroyed_while_a_scan_of_it_is_under_way)
{
        Filemem__Hello hello = hello_for("second");
        struct raw_operation operations[2];
        struct raw admin, raw;
        uint64_t id;

        raw_open(&admin, the_daemon.socket, "");
        for (int i = 0; i < 50; i++) {
                join(&raw, &hello);
                fill(&raw, 64 * PAGE);
                raw_update_usage(&operations[0]);
                operations[0].body.update_usage.pool = (char *)"second";
                raw_destroy_pool(&operations[1], "second");
                raw_request(&raw, operations, 1);
                id = raw_request(&admin, operations, 2);
                ck_assert_uint_eq(raw_receive_reply(&admin, id)->n_results, 2);
                check_destroyed(&raw, FILEMEM__STATUS__STATUS_ENOENT);
                raw_close(&raw);
                reload(&admin, CONFIG);
        }
        raw_close(&admin);
}
END_TEST

/* ---- kick ------------------------------------------------------------------------------------ */

START_TEST(kicked_session_ends_and_its_memory_is_released)
{
        struct raw_operation operation;
        struct raw admin, raw;

        raw_open(&admin, the_daemon.socket, "");
        raw_open(&raw, the_daemon.socket, "");
        fill(&raw, MIB);
        raw_kick_session(&operation, raw.session);
        raw_do(&admin, &operation);
        check_destroyed(&raw, FILEMEM__STATUS__STATUS_EPERM);
        raw_settle(&admin);
        check_status(&admin, &operation, FILEMEM__STATUS__STATUS_ENOENT);
        raw_kick_session(&operation, 0);
        check_status(&admin, &operation, FILEMEM__STATUS__STATUS_ENOENT);
        raw_close(&raw);
        raw_close(&admin);
}
END_TEST

START_TEST(who_kicks_itself_has_its_answer_first)
{
        struct raw_operation operations[2];
        struct raw raw;
        uint64_t id;

        raw_open(&raw, the_daemon.socket, "");
        raw_kick_session(&operations[0], raw.session);
        raw_ping(&operations[1]);
        id = raw_request(&raw, operations, 2);
        ck_assert_uint_eq(raw_receive_reply(&raw, id)->n_results, 2);
        check_destroyed(&raw, FILEMEM__STATUS__STATUS_EPERM);
        raw_close(&raw);
}
END_TEST

START_TEST(kicking_is_no_fault_of_the_kicked)
{
        struct raw_operation operation;
        struct raw admin, raw;

        raw_open(&admin, the_daemon.socket, "");
        raw_open(&raw, the_daemon.socket, "");
        raw_kick_session(&operation, raw.session);
        raw_do(&admin, &operation);
        raw_daemon_status(&operation);
        ck_assert_uint_eq(raw_do(&admin, &operation)->daemon_status->protocol_errors, 0);
        raw_close(&raw);
        raw_close(&admin);
}
END_TEST

void add_administration_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "administration", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, reload_makes_new_pools_and_changes_rules);
        tcase_add_test(tests, bad_file_changes_nothing_and_is_named);
        tcase_add_test(tests, vanished_pool_is_drained);
        tcase_add_test(tests, draining_pool_that_is_named_again_is_open_again);
        tcase_add_test(tests, hangup_reads_the_configuration_again);
        tcase_add_test(tests, reloads_are_all_answered);
        tcase_add_test(tests, daemon_stops_during_a_reload);
        tcase_add_test(tests, destroyed_pool_answers_what_was_sent_and_is_gone);
        tcase_add_test(tests, session_that_never_reads_does_not_keep_a_destroyed_pool);
        tcase_add_test(tests, pool_of_the_one_who_destroys_it_is_destroyed);
        tcase_add_test(tests, pool_is_destroyed_while_a_scan_of_it_is_under_way);
        tcase_add_test(tests, kicked_session_ends_and_its_memory_is_released);
        tcase_add_test(tests, who_kicks_itself_has_its_answer_first);
        tcase_add_test(tests, kicking_is_no_fault_of_the_kicked);
}
