// SPDX-License-Identifier: Apache-2.0
/* Daemons that die and are there again: what is sent again, what is not, and who notices. */
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8u

static const struct filemem_range page = {0, PEER_PAGE};

static struct peer peer;
static filemem_session *session;

static struct filemem_range page_at(uint64_t number)
{
        return (struct filemem_range){number * PEER_PAGE, (number + 1) * PEER_PAGE};
}

/* The script has to set peer->survives itself, before it greets. */
static void begin(void (*script)(struct peer *peer))
{
        peer_start(&peer, script, NULL);
        session = peer_open(&peer);
}

static void end(void)
{
        filemem_close(session);
        peer_stop(&peer);
}

static void greet(struct peer *where)
{
        where->survives = true;
        peer_greet(where);
}

#define require(condition)                                                                         \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        abort();                                                                   \
        } while (0)

/* The next request, which has to be a decref of that page with that id. */
static void expect_decref(struct peer *where, uint64_t id, uint64_t number)
{
        const Filemem__Request *request = peer_receive_request(where);

        require(request->id == id);
        require(request->operations[0]->body_case == FILEMEM__OPERATION__BODY_DECREF);
        require(request->operations[0]->decref->start == number * PEER_PAGE);
}

static void serve(struct peer *where)
{
        const Filemem__ToDaemon *message;

        while ((message = peer_receive(where))) {
                const Filemem__Request *request = message->request;

                require(message->body_case == FILEMEM__TO_DAEMON__BODY_REQUEST);
                if (!request->operations[0]->no_reply)
                        peer_reply(where, request->id, NULL);
                else if (request->acknowledge)
                        peer_acknowledge(where, request->id);
        }
}

/* ---- one call -------------------------------------------------------------------------------- */

/* Takes a request, loses it, and gets it again. */
static void lose_one(struct peer *where)
{
        uint64_t id;

        greet(where);
        id = peer_receive_request(where)->id;
        poll(NULL, 0, 20);
        peer_send_resumed(where, 0);
        peer_await_resume(where);
        expect_decref(where, id, 7);
        peer_reply(where, id, NULL);
        serve(where);
}

START_TEST(a_call_goes_on_after_the_pause)
{
        begin(lose_one);
        ck_assert_int_eq(filemem_decref(session, page_at(7)), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

/* Answers, dies, and the answer is read before Resumed is. */
static void answer_and_die(struct peer *where)
{
        uint64_t id;

        greet(where);
        id = peer_receive_request(where)->id;
        peer_reply(where, id, NULL);
        peer_send_resumed(where, id);
        peer_await_resume(where);
        require(peer_receive_request(where)->id == id + 1);
        peer_reply(where, id + 1, NULL);
}

START_TEST(what_was_answered_before_is_not_sent_again)
{
        begin(answer_and_die);
        ck_assert_int_eq(filemem_decref(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

static void die_again_and_again(struct peer *where)
{
        uint64_t id;

        greet(where);
        id = peer_receive_request(where)->id;
        for (unsigned i = 0; i < 5; i++) {
                peer_send_resumed(where, 0);
                peer_await_resume(where);
                /* Also between Resume and what follows it. */
                if (i % 2)
                        expect_decref(where, id, 3);
        }
        expect_decref(where, id, 3);
        peer_reply(where, id, NULL);
        serve(where);
}

START_TEST(daemons_may_die_several_times)
{
        begin(die_again_and_again);
        ck_assert_int_eq(filemem_decref(session, page_at(3)), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

/* ---- releases -------------------------------------------------------------------------------- */

static void lose_releases(struct peer *where)
{
        greet(where);
        for (uint64_t i = 1; i <= 5; i++)
                expect_decref(where, i, i);
        /* The last one that is answered says that those before it are done. */
        require(peer_receive_request(where)->id == 6);
        peer_reply(where, 6, NULL);
        for (uint64_t i = 7; i <= 9; i++)
                expect_decref(where, i, i);
        peer_send_resumed(where, 8);
        peer_await_resume(where);
        for (uint64_t i = 7; i <= 9; i++)
                expect_decref(where, i, i);
        require(peer_receive_request(where)->id == 10);
        peer_reply(where, 10, NULL);
        serve(where);
}

START_TEST(releases_are_sent_again_until_something_later_is_answered)
{
        begin(lose_releases);
        for (uint64_t i = 1; i <= 5; i++)
                ck_assert_int_eq(filemem_release(session, page_at(i)), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        for (uint64_t i = 7; i <= 9; i++)
                ck_assert_int_eq(filemem_release(session, page_at(i)), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        end();
}
END_TEST

static void serve_and_count_silent(struct peer *where)
{
        const Filemem__ToDaemon *message;
        unsigned silent = 0;

        while ((message = peer_receive(where))) {
                const Filemem__Request *request = message->request;

                if (request->operations[0]->no_reply && !request->acknowledge) {
                        require(++silent < 32);
                        continue;
                }
                silent = 0;
                if (request->acknowledge)
                        peer_acknowledge(where, request->id);
                else
                        peer_reply(where, request->id, NULL);
        }
}

static void count_acknowledgements(struct peer *where)
{
        greet(where);
        serve_and_count_silent(where);
}

START_TEST(every_32nd_release_is_acknowledged_and_there_may_be_any_number)
{
        unsigned count = 20000 / harness_slowness();

        begin(count_acknowledgements);
        for (unsigned i = 0; i < count; i++)
                ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        end();
}
END_TEST

static void refuse_and_die(struct peer *where)
{
        greet(where);
        expect_decref(where, 1, 1);
        expect_decref(where, 2, 2);
        peer_send_event(where, 1, FILEMEM__STATUS__STATUS_EACCES, "not yours");
        peer_send_resumed(where, 1);
        peer_await_resume(where);
        expect_decref(where, 1, 1);
        peer_send_event(where, 1, FILEMEM__STATUS__STATUS_EACCES, "not yours");
        expect_decref(where, 2, 2);
        peer_send_event(where, 2, FILEMEM__STATUS__STATUS_EACCES, "not yours");
        serve(where);
}

START_TEST(a_refusal_that_is_told_twice_is_counted_once)
{
        begin(refuse_and_die);
        ck_assert_int_eq(filemem_release(session, page_at(1)), 0);
        ck_assert_int_eq(filemem_release(session, page_at(2)), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 2);
        end();
}
END_TEST

/* ---- many threads ---------------------------------------------------------------------------- */

/*
 * Dies from time to time, sometimes before it has answered. What was carried out is kept in
 * `done`, as the journal does, by id: the second time is answered and does not count.
 */
static uint64_t last_done;
static unsigned effects[THREADS];

static void die_often(struct peer *where)
{
        const Filemem__ToDaemon *message;
        unsigned count = 0;

        greet(where);
        while ((message = peer_receive(where))) {
                const Filemem__Request *request = message->request;
                const Filemem__Operation *operation = request->operations[0];
                uint64_t id = request->id, start = 0;
                bool silent = operation->no_reply, acknowledge = request->acknowledge;

                if (operation->body_case == FILEMEM__OPERATION__BODY_DECREF)
                        start = operation->decref->start;
                if (id > last_done) {
                        /* None is left out and none comes before its turn. */
                        require(id == last_done + 1);
                        last_done = id;
                        effects[start / PEER_PAGE]++;
                }
                if (count++ % 211 == 5) {
                        /* Before it has answered. */
                        peer_send_resumed(where, last_done);
                        peer_await_resume(where);
                        continue;
                }
                if (!silent)
                        peer_reply(where, id, NULL);
                else if (acknowledge)
                        peer_acknowledge(where, id);
                if (count % 307 == 5) {
                        peer_send_resumed(where, last_done);
                        peer_await_resume(where);
                }
        }
}

static atomic_uint wrong;

static void *change_many(void *argument)
{
        uint64_t number = (uint64_t)(uintptr_t)argument;

        for (unsigned i = 0; i < 1000 / harness_slowness(); i++) {
                int r = number % 2 ? filemem_decref(session, page_at(number))
                                   : filemem_release(session, page_at(number));

                if (r != 0)
                        atomic_fetch_add(&wrong, 1);
        }
        return NULL;
}

START_TEST(what_many_threads_do_takes_effect_once)
{
        pthread_t threads[THREADS];

        begin(die_often);
        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, change_many, (void *)i), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&wrong), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        end();
        for (unsigned i = 1; i < THREADS; i++)
                ck_assert_uint_eq(effects[i], 1000 / harness_slowness());
}
END_TEST

/* ---- a long pause ---------------------------------------------------------------------------- */

static void stall_long(struct peer *where)
{
        greet(where);
        peer_await(where, 1);
        peer_send_resumed(where, 0);
        peer_await_resume(where);
        serve_and_count_silent(where);
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

START_TEST(releases_wait_when_too_many_are_under_way)
{
        unsigned count = 4000 / harness_slowness(), before;
        pthread_t threads[2];

        begin(stall_long);
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, release_many, &count), 0);
        do {
                before = atomic_load(&released);
                poll(NULL, 0, 100);
        } while (before != atomic_load(&released));
        ck_assert_uint_le(before, 1024);
        peer_reach(&peer, 1);
        for (unsigned i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&wrong), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

/* ---- sessions that do not survive --------------------------------------------------------------
 */

static void resume_uninvited(struct peer *where)
{
        peer_greet(where);
        peer_receive_request(where);
        peer_send_resumed(where, 0);
        peer_await(where, 1);
}

START_TEST(a_session_that_does_not_survive_is_not_resumed)
{
        begin(resume_uninvited);
        ck_assert_int_eq(filemem_ping(session), -EPROTO);
        ck_assert_int_eq(filemem_ping(session), -EPROTO);
        peer_reach(&peer, 1);
        end();
}
END_TEST

static void hang_up(struct peer *where)
{
        greet(where);
        peer_receive_request(where);
        peer_receive_request(where);
}

START_TEST(a_session_that_was_lost_all_the_same_ends)
{
        begin(hang_up);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), -ECONNRESET);
        ck_assert_int_eq(filemem_release(session, page), -ECONNRESET);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resume");
        TCase *tests = harness_case(suite, "resume", 30);

        tcase_add_test(tests, a_call_goes_on_after_the_pause);
        tcase_add_test(tests, what_was_answered_before_is_not_sent_again);
        tcase_add_test(tests, daemons_may_die_several_times);
        tcase_add_test(tests, releases_are_sent_again_until_something_later_is_answered);
        tcase_add_test(tests, every_32nd_release_is_acknowledged_and_there_may_be_any_number);
        tcase_add_test(tests, a_refusal_that_is_told_twice_is_counted_once);
        tcase_add_test(tests, what_many_threads_do_takes_effect_once);
        tcase_add_test(tests, releases_wait_when_too_many_are_under_way);
        tcase_add_test(tests, a_session_that_does_not_survive_is_not_resumed);
        tcase_add_test(tests, a_session_that_was_lost_all_the_same_ends);
        return harness_run(suite);
}
