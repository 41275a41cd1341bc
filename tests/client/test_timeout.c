// SPDX-License-Identifier: Apache-2.0
/* Calls that do not wait for ever, and what becomes of what the daemon did for them. */
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)
#define THREADS     8u

static const struct filemem_range page = {0, PEER_PAGE};

static struct peer peer;
static filemem_session *session;

static void begin(void (*script)(struct peer *peer))
{
        peer_start(&peer, script, NULL);
        session = peer_open(&peer);
}

static void end(void)
{
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        filemem_close(session);
        peer_stop(&peer);
}

#define require(condition)                                                                         \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        abort();                                                                   \
        } while (0)

static uint64_t now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000 * MILLISECOND + (uint64_t)time.tv_nsec;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Answers the first request after the second, once the test says so. */
static void answer_late(struct peer *where)
{
        uint64_t first;

        peer_greet(where);
        first = peer_receive_request(where)->id;
        peer_reach(where, 1);
        peer_await(where, 2);
        peer_reply(where, first, NULL);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(a_call_returns_when_its_time_is_over_and_the_next_gets_its_own_answer)
{
        uint64_t before;

        begin(answer_late);
        ck_assert(filemem_set_timeout(30 * MILLISECOND) == FILEMEM_NO_TIMEOUT);
        before = now();
        ck_assert_int_eq(filemem_ping(session), -ETIMEDOUT);
        ck_assert_uint_ge(now() - before, 30 * MILLISECOND);
        ck_assert_ptr_nonnull(strstr(filemem_last_error(session), "in time"));
        ck_assert(filemem_set_timeout(FILEMEM_NO_TIMEOUT) == 30 * MILLISECOND);
        peer_reach(&peer, 2);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_str_eq(filemem_last_error(session), "");
        end();
}
END_TEST

static void *ping_for_a_while(void *argument)
{
        filemem_set_timeout(20 * MILLISECOND);
        (void)argument;
        return (void *)(intptr_t)filemem_ping(session);
}

static void *ping(void *argument)
{
        (void)argument;
        return (void *)(intptr_t)filemem_ping(session);
}

static void hold_all(struct peer *where)
{
        uint64_t ids[THREADS + 1];

        peer_greet(where);
        for (unsigned i = 0; i <= THREADS; i++)
                ids[i] = peer_receive_request(where)->id;
        peer_reach(where, 1);
        peer_await(where, 2);
        for (unsigned i = 0; i <= THREADS; i++)
                peer_reply(where, ids[i], NULL);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(a_timeout_is_that_of_its_thread_whoever_receives)
{
        pthread_t patient, hasty[THREADS];
        void *result;

        begin(hold_all);
        ck_assert_int_eq(pthread_create(&patient, NULL, ping, NULL), 0);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&hasty[i], NULL, ping_for_a_while, NULL), 0);
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(hasty[i], &result);
                ck_assert_int_eq((intptr_t)result, -ETIMEDOUT);
        }
        peer_await(&peer, 1);
        peer_reach(&peer, 2);
        pthread_join(patient, &result);
        ck_assert_int_eq((intptr_t)result, 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

static void read_nothing(struct peer *where)
{
        const Filemem__ToDaemon *message;
        unsigned *count = (unsigned *)(uintptr_t)where->argument;

        peer_greet(where);
        peer_await(where, 1);
        while ((message = peer_receive(where))) {
                if (message->request->operations[0]->no_reply)
                        ++*count;
                else
                        peer_reply(where, message->request->id, NULL);
        }
}

START_TEST(a_release_that_was_not_sent_in_time_never_is)
{
        unsigned sent = 0, seen = 0;
        int r;

        peer_start(&peer, read_nothing, &seen);
        session = peer_open(&peer);
        filemem_set_timeout(20 * MILLISECOND);
        while ((r = filemem_release(session, page)) == 0)
                sent++;
        ck_assert_int_eq(r, -ETIMEDOUT);
        ck_assert_int_eq(filemem_ping(session), -ETIMEDOUT);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
        ck_assert_uint_eq(seen, sent);
}
END_TEST

/* ---- what is given back -----------------------------------------------------------------------
 */

enum late { LATE_ALLOCATION, LATE_INCREF, LATE_REFUSAL, LATE_DECREF, LATES };

static void give_late(struct peer *where)
{
        enum late late = *(const enum late *)where->argument;
        Filemem__Allocated allocated = FILEMEM__ALLOCATED__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT;
        const Filemem__Request *request;
        uint64_t first, second;

        peer_greet(where);
        first = peer_receive_request(where)->id;
        peer_await(where, 1);
        second = peer_receive_request(where)->id;
        allocated.start = 8 * PEER_PAGE;
        allocated.end = 9 * PEER_PAGE;
        if (late == LATE_ALLOCATION) {
                result.body_case = FILEMEM__RESULT__BODY_ALLOCATED;
                result.allocated = &allocated;
        }
        if (late == LATE_REFUSAL)
                result.status = FILEMEM__STATUS__STATUS_ENOMEM;
        peer_reply(where, first, &result);
        peer_reply(where, second, NULL);
        if (late == LATE_ALLOCATION || late == LATE_INCREF) {
                request = peer_receive_request(where);
                require(request->operations[0]->no_reply);
                require(request->operations[0]->body_case == FILEMEM__OPERATION__BODY_DECREF);
                require(request->operations[0]->decref->start == 8 * PEER_PAGE);
                require(request->operations[0]->decref->end == 9 * PEER_PAGE);
        }
        request = peer_receive_request(where);
        require(request->operations[0]->body_case == FILEMEM__OPERATION__BODY_PING);
        peer_reply(where, request->id, NULL);
}

START_TEST(what_comes_too_late_is_given_back)
{
        const struct filemem_range mine = {8 * PEER_PAGE, 9 * PEER_PAGE};
        enum late late = (enum late)_i;
        struct filemem_range range = {7, 8};
        int r = 0;

        peer_start(&peer, give_late, &late);
        session = peer_open(&peer);
        filemem_set_timeout(10 * MILLISECOND);
        if (late == LATE_INCREF)
                r = filemem_incref(session, mine);
        else if (late == LATE_DECREF)
                r = filemem_decref(session, mine);
        else
                r = filemem_allocate(session, PEER_PAGE, FILEMEM_ANONYMOUS, &range);
        ck_assert_int_eq(r, -ETIMEDOUT);
        ck_assert_uint_eq(range.start, 7);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        end();
}
END_TEST

static void open_peer_late(struct peer *where)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__PeerOpened opened = FILEMEM__PEER_OPENED__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT, *results = &result;
        Filemem__Reply reply = FILEMEM__REPLY__INIT;
        char byte;
        int ends[2];

        peer_greet(where);
        reply.id = peer_receive_request(where)->id;
        peer_await(where, 1);
        require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
        result.body_case = FILEMEM__RESULT__BODY_PEER_OPENED;
        result.peer_opened = &opened;
        reply.n_results = 1;
        reply.results = &results;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        peer_send(where, &message, &ends[1], 1);
        close(ends[1]);
        /* It is closed at once, not when the session is. */
        require(recv(ends[0], &byte, 1, 0) == 0);
        close(ends[0]);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(a_peer_that_comes_too_late_is_closed)
{
        int fd = -7;

        begin(open_peer_late);
        filemem_set_timeout(10 * MILLISECOND);
        ck_assert_int_eq(filemem_open_peer(session, NULL, &fd), -ETIMEDOUT);
        ck_assert_int_eq(fd, -7);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

/* ---- together with a daemon that dies ----------------------------------------------------------
 */

static void resume_abandoned(struct peer *where)
{
        Filemem__Allocated allocated = FILEMEM__ALLOCATED__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT;
        uint64_t id;

        where->survives = true;
        peer_greet(where);
        id = peer_receive_request(where)->id;
        peer_await(where, 1);
        peer_send_resumed(where, 0);
        peer_await_resume(where);
        require(peer_receive_request(where)->id == id);
        allocated.start = 4 * PEER_PAGE;
        allocated.end = 5 * PEER_PAGE;
        result.body_case = FILEMEM__RESULT__BODY_ALLOCATED;
        result.allocated = &allocated;
        peer_reply(where, id, &result);
        peer_reply(where, peer_receive_request(where)->id, NULL);
        require(peer_receive_request(where)->operations[0]->decref->start == 4 * PEER_PAGE);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(what_nobody_waits_for_is_kept_over_a_pause_too)
{
        struct filemem_range range;

        begin(resume_abandoned);
        filemem_set_timeout(10 * MILLISECOND);
        ck_assert_int_eq(
                filemem_allocate(session, PEER_PAGE, FILEMEM_ANONYMOUS, &range), -ETIMEDOUT);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("timeout");
        TCase *tests = harness_case(suite, "timeout", 20);

        tcase_add_test(
                tests, a_call_returns_when_its_time_is_over_and_the_next_gets_its_own_answer);
        tcase_add_test(tests, a_timeout_is_that_of_its_thread_whoever_receives);
        tcase_add_test(tests, a_release_that_was_not_sent_in_time_never_is);
        tcase_add_loop_test(tests, what_comes_too_late_is_given_back, 0, LATES);
        tcase_add_test(tests, a_peer_that_comes_too_late_is_closed);
        tcase_add_test(tests, what_nobody_waits_for_is_kept_over_a_pause_too);
        return harness_run(suite);
}
