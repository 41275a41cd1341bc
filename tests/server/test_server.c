// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include "server/socket.h"
#include "server/state.h"
#include "support/fault.h"
#include "support/harness.h"
#include "support/raw.h"

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/*
 * A server whose loop runs in the thread of the test, one turn at a time, so that the test can have
 * its allocations fail.
 */
static struct event_base *base;
static struct memory *memory;
static struct pool *pool; /* the default one, of the server */
static struct server *server;
static struct socket_file file;
static char path[128];

static const struct pool_options options = {.name = "default", .capacity = CHUNK_SIZE};
static const struct access everybody = {.join.everybody = true};
static const struct pools_rule rule = {.options = &options, .access = &everybody};
static const struct pools_config config = {
        .admin_group = POOLS_NO_GROUP,
        .private_pools = {.options = &options, .access = &everybody},
        .pools = &rule,
        .count = 1,
};

static void start_server(void)
{
        const struct memory_options memory_options = {.accounting = ACCOUNTING_BEST};
        char error[SOCKET_ERROR_MAX];
        int fd;

        snprintf(path, sizeof(path), "%s/socket", harness_make_folder());
        ck_assert_int_eq(socket_open(path, 0600, &file, &fd, error), 0);
        base = event_base_new();
        ck_assert_ptr_nonnull(base);
        ck_assert_int_eq(memory_new(&memory_options, &memory), 0);
        ck_assert_int_eq(memory_start(memory), 0);
        ck_assert_int_eq(server_new(base, fd, memory, &config, &server), 0);
        pool = server_find_pool(server, "default");
}

static void stop_server(void)
{
        server_close(server);
        memory_stop(memory);
        pool_validate(pool);
        server_free(server);
        memory_free(memory);
        event_base_free(base);
        socket_close(&file);
        harness_remove_folder(dirname(path));
}

static void take_turns(int count)
{
        for (int i = 0; i < count; i++)
                event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What the kernel reports once, and no more. */
static void take_step(void)
{
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Until there is something for the client. */
static void await(struct raw *raw)
{
        for (int i = 0; i < 20000 && !raw_is_readable(raw); i++) {
                take_turns(1);
                if (i > 10)
                        usleep(500);
        }
        ck_assert(raw_is_readable(raw));
}

static uint64_t count_holders(void)
{
        struct pool_information information;

        pool_information(pool, &information);
        return information.holders;
}

/* One turn in which the n-th allocation fails. Returns whether there was one. */
static bool take_unlucky_turn(long n)
{
        bool happened;

        fault_alloc_at(n);
        event_base_loop(base, EVLOOP_NONBLOCK);
        happened = fault_alloc_happened();
        fault_alloc_at(-1);
        return happened;
}

static void check_welcome(struct raw *raw)
{
        const Filemem__ToClient *message;

        await(raw);
        message = raw_receive(raw);
        ck_assert_ptr_nonnull(message);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
}

static void open_session(struct raw *raw)
{
        raw_connect(raw, path);
        raw_send_hello(raw, WIRE_MAJOR, "", "lucky");
        check_welcome(raw);
}

static void close_session(struct raw *raw)
{
        raw_close(raw);
        take_turns(5);
        ck_assert_uint_eq(count_holders(), 0);
        pool_validate(pool);
}

static void check_refused(struct raw *raw)
{
        await(raw);
        ck_assert_int_eq(raw_receive_goodbye(raw)->status, FILEMEM__STATUS__STATUS_ENOMEM);
        raw_receive_end(raw);
}

START_TEST(connection_without_memory_is_refused)
{
        bool happened = true;
        struct raw raw;
        long n;

        start_server();
        for (n = 0; happened; n++) {
                raw_connect(&raw, path);
                happened = take_unlucky_turn(n);
                if (happened)
                        check_refused(&raw);
                close_session(&raw);
        }
        ck_assert_int_gt(n, 3); /* the session, its account, and that of its user */
        open_session(&raw);
        close_session(&raw);
        stop_server();
}
END_TEST

START_TEST(a_hello_that_is_there_is_answered_in_the_turn_of_its_connection)
{
        struct raw raw;

        start_server();
        raw_connect(&raw, path);
        raw_send_hello(&raw, WIRE_MAJOR, "", "quick");
        take_step();
        ck_assert(raw_is_readable(&raw));
        check_welcome(&raw);
        close_session(&raw);
        stop_server();
}
END_TEST

/* And who says nothing is waited for, and keeps nobody. */
START_TEST(a_hello_that_comes_later_is_answered_too)
{
        struct raw silent, raw;

        start_server();
        raw_connect(&silent, path);
        take_turns(3);
        raw_connect(&raw, path);
        raw_send_hello(&raw, WIRE_MAJOR, "", "quick");
        take_step();
        ck_assert(raw_is_readable(&raw));
        raw_send_hello(&silent, WIRE_MAJOR, "", "late");
        check_welcome(&silent);
        check_welcome(&raw);
        raw_close(&raw);
        close_session(&silent);
        stop_server();
}
END_TEST

#define CONNECTIONS 8

/* Where a turn may be long in coming all are taken that wait; else one in each. */
START_TEST(connections_are_taken_together_where_much_else_comes)
{
        struct raw busy, raws[CONNECTIONS];

        start_server();
        open_session(&busy);
        for (unsigned i = 0; i < CONNECTIONS; i++)
                raw_connect(&raws[i], path);
        for (unsigned i = 0; i < CONNECTIONS; i++) {
                ck_assert_uint_eq(server->connections, 1 + i);
                take_step();
        }
        ck_assert_uint_eq(server->connections, 1 + CONNECTIONS);
        for (unsigned i = 0; i < CONNECTIONS; i++)
                raw_close(&raws[i]);
        take_turns(3);
        ck_assert_uint_eq(server->connections, 1);

        for (unsigned i = 0; i < 100; i++) {
                struct raw_operation ping;
                uint64_t id;

                raw_ping(&ping);
                id = raw_request(&busy, &ping, 1);
                take_turns(1);
                raw_receive_reply(&busy, id);
        }
        for (unsigned i = 0; i < CONNECTIONS; i++)
                raw_connect(&raws[i], path);
        take_step();
        ck_assert_uint_eq(server->connections, 1 + CONNECTIONS);
        for (unsigned i = 0; i < CONNECTIONS; i++)
                raw_close(&raws[i]);
        close_session(&busy);
        stop_server();
}
END_TEST

START_TEST(session_without_memory_is_refused)
{
        struct raw raw;

        start_server();
        raw_connect(&raw, path);
        take_turns(2);
        raw_send_hello(&raw, WIRE_MAJOR, "", "unlucky");
        ck_assert(take_unlucky_turn(0));
        check_refused(&raw);
        close_session(&raw);
        open_session(&raw);
        close_session(&raw);
        stop_server();
}
END_TEST

/* Whatever fails says so, and is all that fails. */
static void check_answer(struct raw *raw, uint64_t id)
{
        const Filemem__Reply *reply;

        await(raw);
        reply = raw_receive_reply(raw, id);
        if (reply->status) {
                ck_assert_int_eq(reply->status, FILEMEM__STATUS__STATUS_ENOMEM);
                ck_assert_uint_eq(reply->n_results, 0);
                return;
        }
        ck_assert_uint_eq(reply->n_results, 3);
        for (int i = 0; i < 2; i++)
                ck_assert(!reply->results[i]->status ||
                          reply->results[i]->status == FILEMEM__STATUS__STATUS_ENOMEM);
}

/* The request allocates all that there is: nodes of the trees, and what a parked one needs. */
START_TEST(request_survives_every_failed_allocation)
{
        bool happened = true;
        long n;

        start_server();
        for (n = 0; happened; n++) {
                struct raw_operation operations[3];
                struct raw raw;
                uint64_t id;

                open_session(&raw);
                raw_allocate(&operations[0], PAGE, 1);
                raw_allocate(&operations[1], PAGE, 2);
                raw_decommit(&operations[2], 0, PAGE, false);
                id = raw_request(&raw, operations, 3);
                happened = take_unlucky_turn(n);
                check_answer(&raw, id);
                close_session(&raw);
        }
        ck_assert_int_gt(n, 3); /* the request, and its two arenas */
        stop_server();
}
END_TEST

/* Of our own code; what libc does to send a message is not seen, and is nothing. */
START_TEST(way_of_a_message_needs_no_allocation)
{
        struct raw_operation operations[6];
        struct raw raw;
        uint64_t id;

        start_server();
        open_session(&raw);
        raw_ping(&operations[0]);
        raw_usage(&operations[1]);
        raw_pool_info(&operations[2]);
        raw_daemon_status(&operations[3]);
        raw_sessions(&operations[4], 0, 0);
        raw_dump(&operations[5], 0, 0);
        for (int i = 0; i < 3; i++) {
                id = raw_request(&raw, operations, 6);
                ck_assert(!take_unlucky_turn(0));
                await(&raw);
                ck_assert_uint_eq(raw_receive_reply(&raw, id)->n_results, 6);
        }
        close_session(&raw);
        stop_server();
}
END_TEST

/* Asks for one thing, where the n-th allocation fails. Returns whether there was one. */
static bool ask_unluckily(struct raw *raw, struct raw_operation *operation, long n)
{
        uint64_t id = raw_request(raw, operation, 1);
        bool happened = take_unlucky_turn(n);

        await(raw);
        ck_assert_int_eq(raw_receive_reply(raw, id)->results[0]->status,
                happened ? FILEMEM__STATUS__STATUS_ENOMEM : FILEMEM__STATUS__STATUS_OK);
        return happened;
}

/* A peer takes a session, a holder, and room in the event loop. */
START_TEST(opening_a_peer_survives_every_failed_allocation)
{
        bool happened = true;
        long n;

        start_server();
        for (n = 0; happened; n++) {
                struct raw_operation operation;
                struct raw raw;

                open_session(&raw);
                raw_open_peer(&operation, false, "");
                happened = ask_unluckily(&raw, &operation, n);
                ck_assert_uint_eq(count_holders(), happened ? 1 : 2);
                close_session(&raw);
        }
        ck_assert_int_ge(n, 2);
        stop_server();
}
END_TEST

/* A view and its groups, and the room in the event loop. */
START_TEST(opening_statistics_survives_every_failed_allocation)
{
        bool happened = true;
        long n;

        start_server();
        for (n = 0; happened; n++) {
                struct raw_operation operation;
                struct raw raw;

                open_session(&raw);
                raw_statistics(&operation);
                happened = ask_unluckily(&raw, &operation, n);
                ck_assert_uint_eq(server->views.count, !happened);
                if (!happened) {
                        close(raw.peer);
                        raw.peer = -1;
                }
                close_session(&raw);
                ck_assert_uint_eq(server->views.count, 0);
        }
        ck_assert_int_ge(n, 2);
        stop_server();
}
END_TEST

START_TEST(private_hello_survives_every_failed_allocation)
{
        bool happened = true;

        start_server();
        for (long n = 0; happened; n++) {
                Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
                Filemem__Hello hello = FILEMEM__HELLO__INIT;
                struct raw raw;

                raw_connect(&raw, path);
                take_turns(2);
                hello.major = WIRE_MAJOR;
                hello.private_pool = true;
                message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
                message.hello = &hello;
                raw_send(&raw, &message);
                happened = take_unlucky_turn(n);
                if (happened)
                        check_refused(&raw);
                else
                        check_welcome(&raw);
                close_session(&raw);
                ck_assert_ptr_null(server_find_pool(server, "private:2"));
        }
        stop_server();
}
END_TEST

START_TEST(making_a_server_survives_every_failed_allocation)
{
        bool happened = true;

        start_server();
        for (long n = 0; happened; n++) {
                struct server *second = NULL;
                int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

                fault_alloc_at(n);
                r = server_new(base, fd, memory, &config, &second);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert_int_eq(r < 0, happened);
                server_free(second);
                ck_assert_int_lt(fcntl(fd, F_GETFD), 0); /* taken over in any case */
        }
        stop_server();
}
END_TEST

START_TEST(server_is_freed_with_requests_under_way)
{
        struct raw_operation operation;
        struct raw raws[8];

        start_server();
        for (int i = 0; i < 8; i++) {
                open_session(&raws[i]);
                raw_update_usage(&operation);
                if (i % 2)
                        raw_decommit(&operation, 0, PAGE, false);
                for (int j = 0; j < 5; j++)
                        raw_request(&raws[i], &operation, 1);
        }
        take_turns(1);
        stop_server(); /* the pools find out if a session is left */
        for (int i = 0; i < 8; i++)
                raw_close(&raws[i]);
}
END_TEST

/*
 * In a message that is not received there is the client's own end: closing it hangs nothing up. The
 * minute that a client has to take an answer is over when the test says so.
 */
START_TEST(session_that_keeps_itself_open_unread_ends_in_time)
{
        struct raw_operation operations[64];
        struct session *session;
        struct raw raw;

        start_server();
        open_session(&raw);
        session = TAILQ_FIRST(&server->sessions);
        for (int i = 0; i < 64; i++)
                raw_usage(&operations[i]);
        ck_assert_int_eq(fcntl(raw.fd, F_SETFL, O_NONBLOCK), 0);
        while (!channel_blocked(&session->channel)) {
                raw_try_request(&raw, operations, 64);
                take_turns(2);
        }
        ck_assert_int_eq(raw_send_bytes(&raw, "x", 1, &raw.fd, 1), 0);
        raw_close(&raw);
        take_turns(5);
        ck_assert_uint_eq(count_holders(), 1);
        ck_assert(event_pending(&session->writable, EV_TIMEOUT, NULL));
        event_active(&session->writable, EV_TIMEOUT, 0);
        take_turns(5);
        ck_assert_uint_eq(count_holders(), 0);
        stop_server();
}
END_TEST

START_TEST(stop_ends_the_loop)
{
        struct raw raw;

        start_server();
        open_session(&raw);
        server_stop(server);
        server_stop(server); /* once more is fine */
        ck_assert_int_eq(event_base_dispatch(base), 0);
        ck_assert_uint_eq(count_holders(), 0);
        raw_receive_end(&raw);
        raw_close(&raw);
        stop_server();
}
END_TEST

START_TEST(stop_without_sessions_ends_the_loop)
{
        start_server();
        server_stop(server);
        ck_assert_int_eq(event_base_dispatch(base), 0);
        stop_server();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("server");
        TCase *tests = harness_case(suite, "server", 30);

        tcase_add_test(tests, connection_without_memory_is_refused);
        tcase_add_test(tests, a_hello_that_is_there_is_answered_in_the_turn_of_its_connection);
        tcase_add_test(tests, a_hello_that_comes_later_is_answered_too);
        tcase_add_test(tests, connections_are_taken_together_where_much_else_comes);
        tcase_add_test(tests, session_without_memory_is_refused);
        tcase_add_test(tests, request_survives_every_failed_allocation);
        tcase_add_test(tests, way_of_a_message_needs_no_allocation);
        tcase_add_test(tests, opening_a_peer_survives_every_failed_allocation);
        tcase_add_test(tests, opening_statistics_survives_every_failed_allocation);
        tcase_add_test(tests, private_hello_survives_every_failed_allocation);
        tcase_add_test(tests, making_a_server_survives_every_failed_allocation);
        tcase_add_test(tests, server_is_freed_with_requests_under_way);
        tcase_add_test(tests, session_that_keeps_itself_open_unread_ends_in_time);
        tcase_add_test(tests, stop_ends_the_loop);
        tcase_add_test(tests, stop_without_sessions_ends_the_loop);
        return harness_run(suite);
}
