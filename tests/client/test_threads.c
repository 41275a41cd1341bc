// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8u

static struct peer peer;
static filemem_session *session;

static const struct filemem_range page = {0, PEER_PAGE};

/* ---- many at once ---------------------------------------------------------------------------- */

/* The status of a reply says whose it is: a decref of page n is refused with EBUSY if n is odd. */
static void answer(struct peer *where, uint64_t id, uint64_t start)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;
        char text[32];

        if (start / PEER_PAGE % 2) {
                snprintf(text, sizeof(text), "page %u", (unsigned)(start / PEER_PAGE));
                result.status = FILEMEM__STATUS__STATUS_EBUSY;
                result.text = text;
        }
        peer_reply(where, id, &result);
}

/* Collects what is there, up to so many requests, and answers the last one first. */
static void answer_backwards(struct peer *where)
{
        struct {
                uint64_t id, start;
        } waiting[THREADS];
        unsigned count = 0;

        peer_greet(where);
        for (;;) {
                struct pollfd readable = {.fd = where->fd, .events = POLLIN};
                const Filemem__ToDaemon *message;

                if (count && (count == THREADS || poll(&readable, 1, 0) == 0)) {
                        while (count) {
                                count--;
                                answer(where, waiting[count].id, waiting[count].start);
                        }
                }
                message = peer_receive(where);
                if (!message)
                        return;
                waiting[count].id = message->request->id;
                waiting[count].start = message->request->operations[0]->decref->start;
                count++;
        }
}

static atomic_uint wrong;

static void *decref_many(void *argument)
{
        uint64_t number = (uint64_t)(uintptr_t)argument;
        struct filemem_range mine = {number * PEER_PAGE, (number + 1) * PEER_PAGE};
        char text[32];

        snprintf(text, sizeof(text), "page %u", (unsigned)number);
        for (unsigned i = 0; i < 3000 / harness_slowness(); i++) {
                int r = filemem_decref(session, mine);

                if (r != (number % 2 ? -EBUSY : 0) ||
                        strcmp(filemem_last_error(session), number % 2 ? text : "") != 0)
                        atomic_fetch_add(&wrong, 1);
        }
        return NULL;
}

START_TEST(each_thread_gets_its_own_reply_in_whatever_order)
{
        pthread_t threads[THREADS];

        peer_start(&peer, answer_backwards, NULL);
        session = peer_open(&peer);
        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, decref_many, (void *)i), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&wrong), 0);
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

/* ---- one that waits -------------------------------------------------------------------------- */

static void *incref_once(void *argument)
{
        int *result = argument;

        *result = filemem_incref(session, page);
        return NULL;
}

/* Leaves the increfs unanswered until the test says so; all else it answers at once. */
static void hold_increfs(struct peer *where)
{
        uint64_t held[THREADS];
        unsigned count = 0;

        peer_greet(where);
        for (;;) {
                const Filemem__Request *request = peer_receive_request(where);

                if (request->operations[0]->body_case == FILEMEM__OPERATION__BODY_INCREF)
                        held[count++] = request->id;
                else
                        peer_reply(where, request->id, NULL);
                if (count == (size_t)(uintptr_t)where->argument)
                        peer_reach(where, 1);
                if (request->operations[0]->body_case == FILEMEM__OPERATION__BODY_DECREF)
                        break;
        }
        while (count)
                peer_reply(where, held[--count], NULL);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(a_thread_that_waits_long_blocks_nobody)
{
        int results[3] = {1, 1, 1};
        pthread_t threads[3];

        peer_start(&peer, hold_increfs, (void *)3);
        session = peer_open(&peer);
        for (unsigned i = 0; i < 3; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, incref_once, &results[i]), 0);
        peer_await(&peer, 1);
        /* One of the three receives for all; our replies come through it. */
        for (unsigned i = 0; i < 100; i++)
                ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_decref(session, page), 0);
        for (unsigned i = 0; i < 3; i++) {
                pthread_join(threads[i], NULL);
                ck_assert_int_eq(results[i], 0);
        }
        ck_assert_int_eq(filemem_ping(session), 0);
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

START_TEST(a_call_beside_another_needs_memory_and_says_if_there_is_none)
{
        pthread_t thread;
        int result = 1;

        peer_start(&peer, hold_increfs, (void *)1);
        session = peer_open(&peer);
        ck_assert_int_eq(pthread_create(&thread, NULL, incref_once, &result), 0);
        peer_await(&peer, 1);
        fault_map_at(0);
        ck_assert_int_eq(filemem_ping(session), -ENOMEM);
        ck_assert_str_ne(filemem_last_error(session), "");
        fault_map_at(0);
        ck_assert_int_eq(filemem_release(session, page), -ENOMEM);
        fault_map_at(-1);
        ck_assert_int_eq(filemem_decref(session, page), 0);
        pthread_join(thread, NULL);
        ck_assert_int_eq(result, 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

/* ---- the end --------------------------------------------------------------------------------- */

static void hang_up_on_all(struct peer *where)
{
        peer_greet(where);
        for (unsigned i = 0; i < THREADS; i++)
                peer_receive_request(where);
        peer_send_goodbye(where, FILEMEM__STATUS__STATUS_EDQUOT, "enough");
}

START_TEST(every_waiting_thread_is_told_the_end)
{
        pthread_t threads[THREADS];
        int results[THREADS];

        peer_start(&peer, hang_up_on_all, NULL);
        session = peer_open(&peer);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, incref_once, &results[i]), 0);
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                ck_assert_int_eq(results[i], -EDQUOT);
        }
        ck_assert_int_eq(filemem_ping(session), -ECONNRESET);
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

/* ---- full sockets ---------------------------------------------------------------------------- */

/* Reads nothing until told, then refuses all releases and answers all else. */
static void stall(struct peer *where)
{
        const Filemem__ToDaemon *message;

        peer_greet(where);
        peer_await(where, 1);
        while ((message = peer_receive(where))) {
                if (message->request->operations[0]->no_reply)
                        peer_send_event(
                                where, message->request->id, FILEMEM__STATUS__STATUS_EACCES, "no");
                else
                        peer_reply(where, message->request->id, NULL);
        }
}

static atomic_uint released;

static void *release_many(void *argument)
{
        unsigned count = *(const unsigned *)argument;

        for (unsigned i = 0; i < count; i++) {
                if (filemem_release(session, page) < 0)
                        atomic_fetch_add(&wrong, 1);
                atomic_fetch_add(&released, 1);
        }
        return NULL;
}

START_TEST(senders_without_room_wait_and_lose_nothing)
{
        unsigned count = 4000 / harness_slowness(), before;
        pthread_t threads[THREADS];

        peer_start(&peer, stall, NULL);
        session = peer_open(&peer);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, release_many, &count), 0);
        /* Until they are all stuck, or through. */
        do {
                before = atomic_load(&released);
                poll(NULL, 0, 100);
        } while (before != atomic_load(&released));
        peer_reach(&peer, 1);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&wrong), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), (size_t)THREADS * count);
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

static void stall_and_die(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
}

static void *release_until_the_end(void *argument)
{
        int r;

        (void)argument;
        while ((r = filemem_release(session, page)) == 0)
                atomic_fetch_add(&released, 1);
        return (void *)(intptr_t)r;
}

START_TEST(a_sender_without_room_is_told_the_end)
{
        pthread_t threads[2];
        unsigned before;
        void *result;

        peer_start(&peer, stall_and_die, NULL);
        session = peer_open(&peer);
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, release_until_the_end, NULL), 0);
        do {
                before = atomic_load(&released);
                poll(NULL, 0, 100);
        } while (before != atomic_load(&released));
        peer_reach(&peer, 1);
        for (unsigned i = 0; i < 2; i++) {
                pthread_join(threads[i], &result);
                ck_assert_int_eq((intptr_t)result, -ECONNRESET);
        }
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("threads");
        TCase *tests = harness_case(suite, "threads", 30);

        tcase_add_test(tests, each_thread_gets_its_own_reply_in_whatever_order);
        tcase_add_test(tests, a_thread_that_waits_long_blocks_nobody);
        tcase_add_test(tests, a_call_beside_another_needs_memory_and_says_if_there_is_none);
        tcase_add_test(tests, every_waiting_thread_is_told_the_end);
        tcase_add_test(tests, senders_without_room_wait_and_lose_nothing);
        tcase_add_test(tests, a_sender_without_room_is_told_the_end);
        return harness_run(suite);
}
