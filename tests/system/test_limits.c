// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)

/* What the daemon says of one limit. */
static Filemem__LimitReport *ask(struct raw *raw, const char *name)
{
        struct raw_operation operation;
        const Filemem__LimitsReport *report;

        raw_limits(&operation);
        report = raw_do(raw, &operation)->limits;
        ck_assert_ptr_nonnull(report);
        ck_assert_uint_eq(report->n_limits, 7);
        for (size_t i = 0; i < report->n_limits; i++)
                if (strcmp(report->limits[i]->name, name) == 0)
                        return report->limits[i];
        ck_abort_msg("no limit %s", name);
}

/* Until nobody but this session uses anything of it; what ended is released after a while. */
static void await_total(struct raw *raw, const char *name, uint64_t used)
{
        for (int i = 0; i < 2000 && ask(raw, name)->total->used != used; i++)
                usleep(5000);
        ck_assert_uint_eq(ask(raw, name)->total->used, used);
}

static void check_refusal(const Filemem__Result *result, const char *text)
{
        ck_assert_int_eq(result->status, FILEMEM__STATUS__STATUS_EDQUOT);
        ck_assert_str_eq(result->text, text);
}

START_TEST(bytes_are_counted_for_session_user_and_pool)
{
        struct raw_operation operation;
        struct daemon daemon;
        struct raw raws[3];
        uint64_t start;

        daemon_start(&daemon, "[limits]\nsession_bytes = 1G\nuser_bytes = 1536M\n"
                              "[pool default]\ncapacity = 8G\nlimit_bytes = 1200M\n");
        for (int i = 0; i < 3; i++)
                raw_open(&raws[i], daemon.socket, "");
        raw_allocate(&operation, 1025 * MIB, 1);
        check_refusal(raw_call(&raws[0], &operation), "limit of bytes per session (1 GiB) reached");
        start = raw_get(&raws[0], 1024 * MIB, 1);
        raw_allocate(&operation, 177 * MIB, 1);
        check_refusal(
                raw_call(&raws[1], &operation), "limit of bytes of the pool (1200 MiB) reached");
        raw_get(&raws[1], 176 * MIB, 1);
        raw_incref(&operation, start, start + PAGE);
        check_refusal(
                raw_call(&raws[1], &operation), "limit of bytes of the pool (1200 MiB) reached");
        ck_assert_uint_eq(ask(&raws[2], "bytes")->user->used, 1200 * MIB);
        ck_assert_uint_eq(ask(&raws[2], "bytes")->session->used, 0);
        raw_decref(&operation, start, start + MIB);
        raw_do(&raws[0], &operation);
        raw_get(&raws[2], MIB, 1);
        raw_close(&raws[0]);
        raw_close(&raws[1]);
        await_total(&raws[2], "bytes", MIB);
        raw_get(&raws[2], 1000 * MIB, 1);
        raw_close(&raws[2]);
        daemon_stop(&daemon); /* aborts if a charge was forgotten */
}
END_TEST

START_TEST(ranges_of_a_user_are_those_of_all_its_sessions)
{
        struct raw_operation operation;
        struct daemon daemon;
        struct raw raws[2];

        daemon_start(&daemon, "[limits]\nuser_ranges = 100\n");
        raw_open(&raws[0], daemon.socket, "");
        raw_open(&raws[1], daemon.socket, "");
        for (int i = 0; i < 100; i++)
                raw_get(&raws[i % 2], PAGE, 1 + i / 2 % 2);
        raw_allocate(&operation, PAGE, 5);
        check_refusal(raw_call(&raws[0], &operation), "limit of ranges per user (100) reached");
        check_refusal(raw_call(&raws[1], &operation), "limit of ranges per user (100) reached");
        raw_close(&raws[0]);
        await_total(&raws[1], "ranges", ask(&raws[1], "ranges")->session->used);
        raw_do(&raws[1], &operation);
        raw_close(&raws[1]);
        daemon_stop(&daemon);
}
END_TEST

/* Eight more: the test is root, or the user of the daemon. */
START_TEST(sessions_beyond_the_limit_are_told_so)
{
        struct daemon daemon;
        struct raw raws[14], late;

        daemon_start(&daemon, "[limits]\nuser_sessions = 6\n");
        for (int i = 0; i < 14; i++)
                raw_open(&raws[i], daemon.socket, "");
        for (int i = 0; i < 3; i++) {
                const Filemem__Goodbye *goodbye;

                raw_connect(&late, daemon.socket);
                goodbye = raw_receive_goodbye(&late);
                ck_assert_int_eq(goodbye->status, FILEMEM__STATUS__STATUS_EDQUOT);
                ck_assert_str_eq(goodbye->text, "limit of sessions per user (6) reached");
                raw_close(&late);
        }
        ck_assert_uint_eq(ask(&raws[0], "sessions")->user->used, 14);
        raw_close(&raws[13]);
        await_total(&raws[0], "sessions", 13);
        raw_open(&raws[13], daemon.socket, "");
        for (int i = 0; i < 14; i++)
                raw_close(&raws[i]);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(pool_has_a_limit_of_sessions_of_its_own)
{
        const Filemem__Goodbye *goodbye;
        struct raw raws[2], late;
        struct daemon daemon;

        daemon_start(&daemon, "[pool default]\nlimit_sessions = 2\n");
        for (int i = 0; i < 2; i++)
                raw_open(&raws[i], daemon.socket, "");
        raw_connect(&late, daemon.socket);
        raw_send_hello(&late, WIRE_MAJOR, "", "");
        goodbye = raw_receive_goodbye(&late);
        ck_assert_int_eq(goodbye->status, FILEMEM__STATUS__STATUS_EDQUOT);
        raw_close(&late);
        for (int i = 0; i < 2; i++)
                raw_close(&raws[i]);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(silence_after_connect_ends_in_time_and_a_hello_in_time_does_not)
{
        const Filemem__Goodbye *goodbye;
        struct raw_operation operation;
        struct raw silent, honest;
        struct daemon daemon;

        daemon_start(&daemon, "[limits]\nhello_timeout = 1\n");
        raw_open(&honest, daemon.socket, "");
        raw_connect(&silent, daemon.socket);
        goodbye = raw_receive_goodbye(&silent);
        ck_assert_str_eq(goodbye->text, "Hello did not come in time");
        raw_receive_end(&silent);
        raw_close(&silent);
        usleep(200000);
        raw_ping(&operation);
        raw_do(&honest, &operation); /* it is older than that */
        raw_close(&honest);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(pool_that_stores_too_much_gives_nothing_more)
{
        struct raw_operation operation;
        struct daemon daemon;
        struct raw raw;
        char *memory;

        daemon_start(&daemon, "[pool default]\nlimit_committed = 2M\n");
        raw_open(&raw, daemon.socket, "");
        ck_assert_uint_eq(raw_get(&raw, 4 * MIB, 1), 0);
        memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, raw.memfd, 0);
        ck_assert_ptr_ne(memory, MAP_FAILED);
        memset(memory, 1, MIB);
        raw_get(&raw, PAGE, 1);
        memset(memory, 1, 2 * MIB);
        raw_allocate(&operation, PAGE, 1);
        check_refusal(
                raw_call(&raw, &operation), "limit of committed bytes of the pool (2 MiB) reached");
        ck_assert_uint_ge(ask(&raw, "committed")->pool->used, 2 * MIB);
        raw_decommit(&operation, 0, MIB, false);
        raw_do(&raw, &operation);
        raw_get(&raw, PAGE, 1);
        munmap(memory, 4 * MIB);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(committed_bytes_of_all_pools_have_a_limit_too)
{
        struct raw_operation operation;
        struct raw first, second;
        struct daemon daemon;
        char *memory;

        daemon_start(&daemon, "[limits]\ntotal_committed = 2M\n[pool other]\njoin = *\n");
        raw_open(&first, daemon.socket, "");
        raw_connect(&second, daemon.socket);
        raw_send_hello(&second, WIRE_MAJOR, "other", "");
        ck_assert_int_eq(raw_receive(&second)->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        ck_assert_uint_eq(raw_get(&first, 4 * MIB, 1), 0);
        memory = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, first.memfd, 0);
        ck_assert_ptr_ne(memory, MAP_FAILED);
        memset(memory, 1, 2 * MIB);
        usleep(110000); /* what is known of other pools may be so old */
        raw_allocate(&operation, PAGE, 1);
        check_refusal(
                raw_call(&second, &operation), "limit of committed bytes in total (2 MiB) reached");
        munmap(memory, 2 * MIB);
        raw_close(&first);
        for (int i = 0; i < 2000 && raw_call(&second, &operation)->status; i++)
                usleep(5000);
        raw_do(&second, &operation);
        raw_close(&second);
        daemon_stop(&daemon);
}
END_TEST

/* The account of who opened them outlives him. */
START_TEST(peers_count_for_who_opened_them)
{
        struct raw_operation operation;
        struct raw opener, other;
        struct daemon daemon;
        int peers[2];

        daemon_start(&daemon, "[limits]\nsession_peers = 2\nuser_peers = 3\n");
        raw_open(&opener, daemon.socket, "");
        raw_open(&other, daemon.socket, "");
        raw_open_peer(&operation, false, "");
        for (int i = 0; i < 2; i++) {
                raw_do(&opener, &operation);
                peers[i] = opener.peer;
                opener.peer = -1;
        }
        check_refusal(raw_call(&opener, &operation), "limit of peers per session (2) reached");
        ck_assert_uint_eq(ask(&opener, "peers")->session->used, 2);
        ck_assert_uint_eq(ask(&opener, "sessions")->user->used, 4);
        raw_do(&other, &operation);
        check_refusal(raw_call(&other, &operation), "limit of peers per user (3) reached");
        raw_close(&opener);
        await_total(&other, "sessions", 4); /* its peers stay */
        ck_assert_uint_eq(ask(&other, "peers")->user->used, 3);
        for (int i = 0; i < 2; i++)
                close(peers[i]);
        await_total(&other, "peers", 1);
        raw_close(&other);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(peers_can_have_smaller_limits_and_no_way_around_them)
{
        struct raw_operation operation;
        static struct raw opener, peer; /* the peer is made by hand from an opened one */
        struct daemon daemon;

        daemon_start(&daemon, "[limits]\nsession_ranges = 100\n");
        raw_open(&opener, daemon.socket, "");
        raw_open(&peer, daemon.socket, "");
        raw_open_peer(&operation, false, "");
        operation.body.open_peer.max_bytes = 64 * MIB;
        operation.body.open_peer.max_ranges = 1000;
        raw_do(&opener, &operation);
        close(peer.fd);
        close(peer.memfd);
        peer.fd = opener.peer;
        peer.memfd = opener.peer = -1;
        raw_hello(&peer, "small");
        raw_allocate(&operation, 65 * MIB, 1);
        check_refusal(raw_call(&peer, &operation), "limit of bytes per session (64 MiB) reached");
        raw_get(&peer, 64 * MIB, 1);
        ck_assert_uint_eq(ask(&peer, "ranges")->session->maximum, 100);
        raw_open_peer(&operation, false, "");
        check_refusal(raw_call(&peer, &operation), "limit of peers per session (0) reached");
        raw_get(&opener, 65 * MIB, 1);
        raw_close(&peer);
        raw_close(&opener);
        daemon_stop(&daemon);
}
END_TEST

/* Asks for more than the socket takes, and reads nothing. */
static void be_deaf(struct raw *raw)
{
        struct raw_operation operations[64];

        for (int i = 0; i < 64; i++)
                raw_usage(&operations[i]);
        for (int i = 0; i < 200 && raw_try_request(raw, operations, 64) == 0; i++)
                if (raw_is_readable(raw))
                        usleep(100);
}

START_TEST(who_does_not_read_its_replies_loses_its_session_alone)
{
        struct raw_operation operation;
        struct raw deaf, other;
        struct daemon daemon;

        daemon_start(&daemon, "[limits]\nsession_replies = 1K\n");
        raw_open(&deaf, daemon.socket, "deaf");
        raw_open(&other, daemon.socket, "other");
        be_deaf(&deaf);
        await_total(&other, "sessions", 1);
        ck_assert_uint_eq(ask(&other, "replies")->total->used, 0);
        raw_ping(&operation);
        raw_do(&other, &operation);
        raw_close(&deaf);
        raw_close(&other);
        daemon_stop(&daemon);
}
END_TEST

/* With one request under way for all, each waits for its turn, and none is refused or forgotten. */
START_TEST(requests_beyond_the_limit_wait_and_are_answered)
{
        struct raw_operation operations[3];
        uint64_t ids[40][3];
        struct daemon daemon;
        struct raw raws[40];

        daemon_start(&daemon, "[limits]\nuser_requests = 1\n");
        for (int i = 0; i < 40; i++)
                raw_open(&raws[i], daemon.socket, "");
        for (int i = 0; i < 40; i++)
                raw_get(&raws[i], PAGE, 1);
        for (int round = 0; round < 3; round++)
                for (int i = 0; i < 40; i++) {
                        uint64_t start = (uint64_t)i * PAGE;

                        raw_ping(&operations[0]);
                        raw_decommit(&operations[1], start, start + PAGE, false);
                        raw_update_usage(&operations[2]);
                        ids[i][round] = raw_request(&raws[i], operations, i % 3 ? 3 : 1);
                }
        for (int i = 5; i < 10; i++)
                raw_close(&raws[i]); /* who waits may also go */
        for (int i = 0; i < 40; i++)
                for (int round = 0; round < 3 && (i < 5 || i > 9); round++) {
                        const Filemem__Reply *reply = raw_receive_reply(&raws[i], ids[i][round]);

                        for (size_t j = 0; j < reply->n_results; j++)
                                ck_assert_int_eq(reply->results[j]->status, 0);
                }
        ck_assert_uint_eq(ask(&raws[0], "requests")->user->used, 0);
        for (int i = 0; i < 40; i++)
                if (i < 5 || i > 9)
                        raw_close(&raws[i]);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(a_large_release_is_done_in_parts_between_which_others_are_served)
{
        enum { BATCH = 256, COUNT = 60000 };
        struct raw_operation operations[BATCH];
        struct raw large, other;
        struct daemon daemon;
        uint64_t id;

        daemon_start(&daemon, "[pool default]\ncapacity = 1G\n");
        raw_open(&large, daemon.socket, "");
        raw_open(&other, daemon.socket, "");
        for (int done = 0; done < COUNT; done += BATCH) {
                for (int i = 0; i < BATCH; i++)
                        raw_allocate(&operations[i], PAGE, 1 + i % 2);
                id = raw_request(&large, operations, BATCH);
                ck_assert_int_eq(raw_receive_reply(&large, id)->results[BATCH - 1]->status, 0);
        }
        ck_assert_uint_ge(ask(&large, "ranges")->session->used, COUNT);
        raw_incref(&operations[0], 0, COUNT * PAGE);
        check_refusal(raw_call(&other, &operations[0]),
                "the range consists of more than 16384 ranges: do it in parts");
        raw_decref(&operations[0], 0, COUNT * PAGE);
        raw_ping(&operations[1]);
        id = raw_request(&large, operations, 2);
        raw_do(&other, &operations[1]);
        ck_assert_int_eq(raw_receive_reply(&large, id)->results[0]->status, 0);
        ck_assert_uint_lt(ask(&large, "ranges")->session->used, 300);
        raw_close(&large);
        await_total(&other, "ranges", 0);
        raw_close(&other);
        daemon_stop(&daemon);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("limits");
        TCase *tests = harness_case(suite, "limits", 60);

        tcase_add_test(tests, bytes_are_counted_for_session_user_and_pool);
        tcase_add_test(tests, ranges_of_a_user_are_those_of_all_its_sessions);
        tcase_add_test(tests, sessions_beyond_the_limit_are_told_so);
        tcase_add_test(tests, pool_has_a_limit_of_sessions_of_its_own);
        tcase_add_test(tests, silence_after_connect_ends_in_time_and_a_hello_in_time_does_not);
        tcase_add_test(tests, pool_that_stores_too_much_gives_nothing_more);
        tcase_add_test(tests, committed_bytes_of_all_pools_have_a_limit_too);
        tcase_add_test(tests, peers_count_for_who_opened_them);
        tcase_add_test(tests, peers_can_have_smaller_limits_and_no_way_around_them);
        tcase_add_test(tests, who_does_not_read_its_replies_loses_its_session_alone);
        tcase_add_test(tests, requests_beyond_the_limit_wait_and_are_answered);
        tcase_add_test(tests, a_large_release_is_done_in_parts_between_which_others_are_served);
        return harness_run(suite);
}
