// SPDX-License-Identifier: Apache-2.0
#include "test_pools.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 64M\n[pool second]\njoin = *\n");
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

START_TEST(peer_is_in_the_same_pool_and_outlives_its_opener)
{
        struct raw_operation operation;
        struct raw raw, peer, observer;
        uint64_t start;
        char byte = 0;

        raw_open(&observer, the_daemon.socket, "");
        raw_open(&raw, the_daemon.socket, "opener");
        start = fill(&raw, PAGE);
        open_peer(&raw, false, "child", &peer);
        raw_incref(&operation, start, start + PAGE);
        raw_do(&peer, &operation);
        raw_close(&raw);
        usleep(20000);
        ck_assert_int_eq(pread(peer.memfd, &byte, 1, (off_t)start), 1);
        ck_assert_int_eq(byte, 'x');
        raw_decref(&operation, start, start + PAGE);
        raw_do(&peer, &operation);
        raw_close(&peer);
        raw_settle(&observer);
        raw_close(&observer);
}
END_TEST

START_TEST(peer_is_listed_with_its_opener)
{
        const Filemem__SessionReport *report;
        struct raw_operation operation;
        struct raw raw;

        raw_open(&raw, the_daemon.socket, "");
        raw_open_peer(&operation, true, "later");
        raw_do(&raw, &operation);
        raw_sessions(&operation, raw.session, 0);
        report = raw_do(&raw, &operation)->sessions->sessions[0];
        ck_assert_uint_eq(report->parent, raw.session);
        ck_assert_str_eq(report->label, "later");
        ck_assert_str_eq(report->pool, "default");
        ck_assert(report->read_only);
        ck_assert_int_eq(report->pid, 0);
        ck_assert_uint_eq(report->uid, getuid());
        raw_close(&raw);
}
END_TEST

START_TEST(read_only_peer_cannot_write)
{
        struct raw_operation operation;
        struct raw raw, peer, second;

        raw_open(&raw, the_daemon.socket, "");
        open_peer(&raw, true, "", &peer);
        ck_assert_int_eq(fcntl(peer.memfd, F_GETFL) & O_ACCMODE, O_RDONLY);
        raw_allocate(&operation, PAGE, 1);
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EACCES);
        /* What may only read opens what may only read. */
        raw_open_peer(&operation, false, "");
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EACCES);
        open_peer(&peer, true, "", &second);
        ck_assert_int_eq(fcntl(second.memfd, F_GETFL) & O_ACCMODE, O_RDONLY);
        raw_close(&second);
        raw_close(&peer);
        raw_close(&raw);
}
END_TEST

/* Valid until the next call. */
static const Filemem__ToClient *greet_peer(struct raw *raw, const Filemem__Hello *hello)
{
        struct raw_operation operation;
        static struct raw peer = {.fd = -1, .memfd = -1, .peer = -1};
        const Filemem__ToClient *answer;

        raw_close(&peer);
        raw_open_peer(&operation, false, "");
        raw_do(raw, &operation);
        raw_adopt(&peer, raw->peer);
        raw->peer = -1;
        answer = raw_greet(&peer, hello);
        peer.fd = fd_close(peer.fd);
        peer.memfd = fd_close(peer.memfd);
        return answer;
}

START_TEST(peer_joins_no_other_pool)
{
        Filemem__Hello hello = hello_for("second");
        const Filemem__ToClient *answer;
        struct raw raw;

        raw_open(&raw, the_daemon.socket, "");
        answer = greet_peer(&raw, &hello);
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
        ck_assert_int_eq(answer->goodbye->status, FILEMEM__STATUS__STATUS_EACCES);
        hello = hello_for("");
        hello.private_pool = true;
        answer = greet_peer(&raw, &hello);
        ck_assert_int_eq(answer->goodbye->status, FILEMEM__STATUS__STATUS_EACCES);
        hello.private_pool = false;
        hello.no_pool = true;
        answer = greet_peer(&raw, &hello);
        ck_assert_int_eq(answer->goodbye->status, FILEMEM__STATUS__STATUS_EACCES);
        /* That it may read less is its own business, and so is the name of its own pool. */
        hello = hello_for("default");
        hello.read_only = true;
        answer = greet_peer(&raw, &hello);
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        ck_assert(answer->welcome->read_only);
        ck_assert_uint_eq(answer->welcome->parent, raw.session);
        raw_close(&raw);
}
END_TEST

/* The opener may be root: whoever has the socket is nobody. */
START_TEST(peer_has_no_privilege)
{
        struct raw_operation operation;
        struct raw raw, peer;

        raw_open(&raw, the_daemon.socket, "");
        open_peer(&raw, false, "", &peer);
        raw_sessions(&operation, 0, 0);
        ck_assert_uint_eq(raw_do(&peer, &operation)->sessions->n_sessions, 1);
        raw_pools(&operation, 0, 0);
        ck_assert_uint_eq(raw_do(&peer, &operation)->pools->n_pools, 1);
        raw_usage(&operation);
        operation.body.usage.pool = (char *)"second";
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EPERM);
        operation.body.usage.pool = (char *)"default";
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_OK);
        raw_destroy_pool(&operation, "default");
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EPERM);
        raw_kick_session(&operation, raw.session);
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EPERM);
        raw_kick_session(&operation, peer.session);
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EPERM);
        raw_reload(&operation);
        check_status(&peer, &operation, FILEMEM__STATUS__STATUS_EPERM);
        raw_close(&peer);
        raw_close(&raw);
}
END_TEST

START_TEST(one_reply_brings_one_peer)
{
        struct raw_operation operations[4];
        const Filemem__Reply *reply;
        const Filemem__ToClient *event;
        struct raw raw;
        uint64_t id;

        raw_open(&raw, the_daemon.socket, "");
        raw_ping(&operations[0]);
        raw_open_peer(&operations[1], false, "");
        raw_open_peer(&operations[2], false, "");
        raw_open_peer(&operations[3], false, "");
        operations[3].operation.no_reply = true;
        id = raw_request(&raw, operations, 4);
        reply = raw_receive_reply(&raw, id);
        ck_assert_uint_eq(reply->n_results, 3);
        ck_assert_int_eq(reply->results[1]->status, FILEMEM__STATUS__STATUS_OK);
        ck_assert_int_eq(reply->results[2]->status, FILEMEM__STATUS__STATUS_EMSGSIZE);
        event = raw_receive(&raw);
        ck_assert_int_eq(event->body_case, FILEMEM__TO_CLIENT__BODY_EVENT);
        ck_assert_int_eq(event->event->status, FILEMEM__STATUS__STATUS_EINVAL);
        raw_open_peer(&operations[0], false, "line\nbreak");
        check_status(&raw, &operations[0], FILEMEM__STATUS__STATUS_EINVAL);
        raw_close(&raw);
}
END_TEST

/* The reply waits for a decommit on another thread, and takes the socket along all the same. */
START_TEST(peer_comes_with_a_reply_that_was_parked)
{
        struct raw_operation operations[3];
        const Filemem__Reply *reply;
        struct raw raw, peer;
        uint64_t start, id;

        raw_open(&raw, the_daemon.socket, "");
        start = fill(&raw, PAGE);
        raw_open_peer(&operations[0], false, "");
        raw_decommit(&operations[1], start, start + PAGE, false);
        raw_update_usage(&operations[2]);
        id = raw_request(&raw, operations, 3);
        reply = raw_receive_reply(&raw, id);
        ck_assert_uint_eq(reply->n_results, 3);
        raw_adopt(&peer, raw.peer);
        raw.peer = -1;
        raw_hello(&peer, "");
        raw_close(&peer);
        raw_close(&raw);
}
END_TEST

/* Nobody reads the replies; then nobody is there any more. */
START_TEST(peers_that_nobody_takes_end)
{
        struct raw_operation operation;
        struct raw raw, observer;
        size_t fds;

        raw_open(&observer, the_daemon.socket, "");
        fds = daemon_count_fds(&the_daemon);
        raw_open(&raw, the_daemon.socket, "");
        raw_open_peer(&operation, false, "");
        for (int i = 0; i < 100; i++)
                raw_request(&raw, &operation, 1);
        raw_close(&raw);
        daemon_await_fds(&the_daemon, fds);
        raw_sessions(&operation, 0, 0);
        ck_assert_uint_eq(raw_do(&observer, &operation)->sessions->n_sessions, 1);
        raw_close(&observer);
}
END_TEST

static void live_in_child(int socket)
{
        struct raw peer;
        uint64_t start;

        raw_adopt(&peer, socket);
        raw_hello(&peer, "child");
        start = fill(&peer, 2 * PAGE);
        _exit(start == PAGE ? 0 : 1);
}

/* It has no process: what counts is the socket, whoever has it. */
START_TEST(peer_is_used_by_a_child_and_ends_with_it)
{
        struct raw_operation operation;
        struct raw raw;
        int status;
        pid_t child;

        raw_open(&raw, the_daemon.socket, "");
        fill(&raw, PAGE);
        raw_open_peer(&operation, false, "");
        raw_do(&raw, &operation);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child)
                live_in_child(raw.peer);
        close(raw.peer);
        raw.peer = -1;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        for (int i = 0; i < 6000; i++) {
                raw_sessions(&operation, raw.session, 0);
                if (!raw_do(&raw, &operation)->sessions->n_sessions)
                        break;
                usleep(5000);
        }
        raw_settle(&raw);
        raw_close(&raw);
}
END_TEST

START_TEST(peer_ends_as_every_session_when_it_breaks_the_protocol)
{
        struct raw_operation operation;
        struct raw raw, peer;

        raw_open(&raw, the_daemon.socket, "");
        raw_open_peer(&operation, false, "");
        raw_do(&raw, &operation);
        raw_adopt(&peer, raw.peer);
        raw.peer = -1;
        raw_ping(&operation);
        raw_request(&peer, &operation, 1); /* before Hello */
        ck_assert_int_eq(raw_receive_goodbye(&peer)->status, FILEMEM__STATUS__STATUS_EPROTO);
        raw_receive_end(&peer);
        raw_close(&peer);
        raw_do(&raw, &operation);
        raw_close(&raw);
}
END_TEST

void add_peer_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "peers", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, peer_is_in_the_same_pool_and_outlives_its_opener);
        tcase_add_test(tests, peer_is_listed_with_its_opener);
        tcase_add_test(tests, read_only_peer_cannot_write);
        tcase_add_test(tests, peer_joins_no_other_pool);
        tcase_add_test(tests, peer_has_no_privilege);
        tcase_add_test(tests, one_reply_brings_one_peer);
        tcase_add_test(tests, peer_comes_with_a_reply_that_was_parked);
        tcase_add_test(tests, peers_that_nobody_takes_end);
        tcase_add_test(tests, peer_is_used_by_a_child_and_ends_with_it);
        tcase_add_test(tests, peer_ends_as_every_session_when_it_breaks_the_protocol);
}
