// SPDX-License-Identifier: Apache-2.0
#include "scripted.h"
#include "support/harness.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

static const struct filemem_range page = {0, PEER_PAGE};

/* ---- good answers ---------------------------------------------------------------------------- */

static void allocate_at_2m(struct peer *where)
{
        Filemem__Allocated allocated = FILEMEM__ALLOCATED__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT;
        const Filemem__Request *request;

        peer_greet(where);
        request = peer_receive_request(where);
        if (request->operations[0]->body_case != FILEMEM__OPERATION__BODY_ALLOCATE ||
                request->operations[0]->allocate->kind != FILEMEM__KIND__KIND_TMPFS)
                abort();
        allocated.start = 2 << 20;
        allocated.end = allocated.start + request->operations[0]->allocate->length;
        result.body_case = FILEMEM__RESULT__BODY_ALLOCATED;
        result.allocated = &allocated;
        peer_reply(where, request->id, &result);
}

START_TEST(an_allocation_says_where)
{
        struct filemem_range range;

        scripted_begin(allocate_at_2m, NULL);
        ck_assert_int_eq(filemem_allocate(session, 3 * PEER_PAGE, FILEMEM_TMPFS, &range), 0);
        ck_assert_uint_eq(range.start, 2 << 20);
        ck_assert_uint_eq(range.end, (2 << 20) + 3 * PEER_PAGE);
        ck_assert_str_eq(filemem_last_error(session), "");
        scripted_end();
}
END_TEST

static void check_operations(struct peer *where)
{
        static const Filemem__Operation__BodyCase expected[] = {FILEMEM__OPERATION__BODY_PING,
                FILEMEM__OPERATION__BODY_INCREF, FILEMEM__OPERATION__BODY_DECREF,
                FILEMEM__OPERATION__BODY_DECOMMIT, FILEMEM__OPERATION__BODY_DECREF};

        peer_greet(where);
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
                const Filemem__Request *request = peer_receive_request(where);
                const Filemem__Operation *operation = request->operations[0];

                if (operation->body_case != expected[i] || operation->no_reply != (i == 4))
                        abort();
                if (i == 1 &&
                        (operation->incref->start != 0 || operation->incref->end != PEER_PAGE))
                        abort();
                if (i == 3 && !operation->decommit->shared)
                        abort();
                if (!operation->no_reply)
                        peer_reply(where, request->id, NULL);
        }
}

START_TEST(each_call_is_its_operation)
{
        scripted_begin(check_operations, NULL);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_incref(session, page), 0);
        ck_assert_int_eq(filemem_decref(session, page), 0);
        ck_assert_int_eq(filemem_decommit(session, page, FILEMEM_DECOMMIT_SHARED), 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        scripted_end();
}
END_TEST

/* ---- waiting -----------------------------------------------------------------------------------
 */

#define SLOW      10000000 /* ns: longer than any client polls */
#define SLOW_ONES 40

/* At once as many times as it takes to be thought fast, and then no longer. */
static void answer_slowly(struct peer *where)
{
        peer_greet(where);
        for (unsigned i = 0; i < 2 * SLOW_ONES; i++) {
                const Filemem__Request *request = peer_receive_request(where);

                if (i >= SLOW_ONES)
                        nanosleep(&(struct timespec){.tv_nsec = SLOW}, NULL);
                peer_reply(where, request->id, NULL);
        }
}

static uint64_t processor_time(void)
{
        struct timespec time;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

START_TEST(slow_answers_are_waited_for_asleep)
{
        uint64_t before = 0;

        scripted_begin(answer_slowly, NULL);
        for (unsigned i = 0; i < 2 * SLOW_ONES; i++) {
                if (i == SLOW_ONES)
                        before = processor_time();
                ck_assert_int_eq(filemem_ping(session), 0);
        }
        ck_assert_uint_lt(processor_time() - before, (uint64_t)SLOW_ONES * SLOW / 4);
        scripted_end();
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse(struct peer *where)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;
        const Filemem__Request *request;

        peer_greet(where);
        result.status = FILEMEM__STATUS__STATUS_EBUSY;
        result.text = (char *)(uintptr_t) "held\nby others";
        request = peer_receive_request(where);
        peer_reply(where, request->id, &result);
        request = peer_receive_request(where);
        peer_reply(where, request->id, NULL);
}

START_TEST(a_refusal_is_its_errno_and_its_sentence_until_the_next_call)
{
        scripted_begin(refuse, NULL);
        ck_assert_int_eq(filemem_decommit(session, page, 0), -EBUSY);
        /* Nothing that a terminal would obey. */
        ck_assert_str_eq(filemem_last_error(session), "held?by others");
        ck_assert_str_eq(filemem_last_error(NULL), "");
        ck_assert_str_eq(filemem_strerror(session, -EBUSY), "held?by others");
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_str_eq(filemem_last_error(session), "");
        ck_assert_str_eq(filemem_strerror(session, -EBUSY), strerrordesc_np(EBUSY));
        ck_assert_str_eq(filemem_strerror(session, INT_MIN), "unknown error");
        ck_assert_str_eq(filemem_strerror(session, -99999), "unknown error");
        scripted_end();
}
END_TEST

static void *read_last_error(void *argument)
{
        (void)argument;
        return filemem_last_error(session)[0] ? session : NULL;
}

START_TEST(a_sentence_is_that_of_its_thread)
{
        pthread_t thread;
        void *seen;

        scripted_begin(refuse, NULL);
        ck_assert_int_eq(filemem_decommit(session, page, 0), -EBUSY);
        ck_assert_int_eq(pthread_create(&thread, NULL, read_last_error, NULL), 0);
        pthread_join(thread, &seen);
        ck_assert_ptr_null(seen);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_int_eq(filemem_ping(session), 0);
        scripted_end();
}
END_TEST

static void greet_only(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
}

START_TEST(what_is_plainly_wrong_is_not_sent)
{
        static const struct filemem_range wrong[] = {{0, 0}, {PEER_PAGE, 0}, {1, PEER_PAGE},
                {0, PEER_PAGE + 1}, {0, PEER_CAPACITY + PEER_PAGE}, {UINT64_MAX - 4095, 4096},
                {0, UINT64_MAX - 4095}, {UINT64_C(1) << 63, (UINT64_C(1) << 63) + PEER_PAGE}};
        struct filemem_range range = {7, 8};
        void *address = &range;

        scripted_begin(greet_only, NULL);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                ck_assert_int_eq(filemem_incref(session, wrong[i]), -EINVAL);
                ck_assert_str_ne(filemem_last_error(session), "");
                ck_assert_int_eq(filemem_decref(session, wrong[i]), -EINVAL);
                ck_assert_int_eq(filemem_release(session, wrong[i]), -EINVAL);
                ck_assert_int_eq(filemem_decommit(session, wrong[i], 0), -EINVAL);
                ck_assert_int_eq(filemem_map(session, wrong[i], 1, &address), -EINVAL);
                ck_assert_int_eq(filemem_map_blocks(session, wrong[i], 1, NULL, 0), -EINVAL);
                ck_assert_int_eq(
                        filemem_map_into(session, wrong[i], NULL, 1, 0, &address), -EINVAL);
        }
        ck_assert_int_eq(filemem_decommit(session, page, 8), -EINVAL);
        ck_assert_int_eq(filemem_allocate(session, 0, FILEMEM_SYSTEM, &range), -EINVAL);
        ck_assert_int_eq(filemem_allocate(session, 1, FILEMEM_SYSTEM, &range), -EINVAL);
        ck_assert_int_eq(filemem_allocate(session, PEER_PAGE, FILEMEM_KINDS, &range), -EINVAL);
        ck_assert_int_eq(
                filemem_allocate(session, PEER_PAGE, (enum filemem_kind) - 1, &range), -EINVAL);
        ck_assert_int_eq(filemem_allocate(session, PEER_PAGE, FILEMEM_SYSTEM, NULL), -EINVAL);
        ck_assert_int_eq(filemem_ping(NULL), -EINVAL);
        ck_assert_int_eq(filemem_usage(session, NULL), -EINVAL);
        ck_assert_int_eq(filemem_dump(session, 0, NULL, 1), -EINVAL);
        ck_assert_int_eq(filemem_sessions(NULL, 0, NULL, 0), -EINVAL);
        ck_assert_uint_eq(range.start, 7);
        ck_assert_ptr_eq(address, &range);
        ck_assert_ptr_null(filemem_kind_name(FILEMEM_KINDS));
        ck_assert_str_eq(filemem_kind_name(FILEMEM_PAGE_CACHE), "PageCache");
        peer_reach(&peer, 1);
        scripted_end();
}
END_TEST

/* ---- what comes unasked ---------------------------------------------------------------------- */

static void refuse_releases(struct peer *where)
{
        const Filemem__ToDaemon *message;

        peer_greet(where);
        while ((message = peer_receive(where))) {
                const Filemem__Request *request = message->request;

                if (request->operations[0]->no_reply)
                        peer_send_event(
                                where, request->id, FILEMEM__STATUS__STATUS_EACCES, "not yours");
                else
                        peer_reply(where, request->id, NULL);
        }
}

START_TEST(refused_releases_are_counted)
{
        char text[32] = "";
        int error = 1;

        scripted_begin(refuse_releases, NULL);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, text, sizeof(text)), 0);
        ck_assert_int_eq(error, 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        /* In the daemon's order: when the ping is answered the releases were. */
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, text, 5), 2);
        ck_assert_int_eq(error, -EACCES);
        ck_assert_str_eq(text, "not ");
        scripted_end();
}
END_TEST

START_TEST(a_lost_error_is_seen_without_another_call)
{
        scripted_begin(refuse_releases, NULL);
        ck_assert_int_eq(filemem_release(session, page), 0);
        while (filemem_lost_errors(session, NULL, NULL, 0) == 0)
                poll(NULL, 0, 1);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 1);
        scripted_end();
}
END_TEST

START_TEST(releases_go_on_when_the_daemon_cannot_get_rid_of_its_answers)
{
        /* Far more than both sockets hold; nobody waits for a reply, so nobody receives by himself.
         */
        unsigned count = 20000 / harness_slowness();

        scripted_begin(refuse_releases, NULL);
        for (unsigned i = 0; i < count; i++)
                ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), count);
        scripted_end();
}
END_TEST

static void receipt_releases(struct peer *where)
{
        static const uint8_t unknown[] = {0x98, 0x06, 0x01};
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Reply reply = FILEMEM__REPLY__INIT;

        peer_greet(where);
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        reply.id = peer_receive_request(where)->id;
        peer_send(where, &message, NULL, 0);
        reply.id = peer_receive_request(where)->id;
        reply.status = FILEMEM__STATUS__STATUS_EDQUOT;
        peer_send(where, &message, NULL, 0);
        peer_send_bytes(where, unknown, sizeof(unknown), NULL, 0);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(empty_replies_to_releases_and_unknown_messages_are_fine)
{
        int error;

        scripted_begin(receipt_releases, NULL);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, NULL, 0), 1);
        ck_assert_int_eq(error, -EDQUOT);
        scripted_end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("call");
        TCase *tests = harness_case(suite, "call", 20);

        tcase_add_test(tests, an_allocation_says_where);
        tcase_add_test(tests, each_call_is_its_operation);
        tcase_add_test(tests, slow_answers_are_waited_for_asleep);
        tcase_add_test(tests, a_refusal_is_its_errno_and_its_sentence_until_the_next_call);
        tcase_add_test(tests, a_sentence_is_that_of_its_thread);
        tcase_add_test(tests, what_is_plainly_wrong_is_not_sent);
        tcase_add_test(tests, refused_releases_are_counted);
        tcase_add_test(tests, a_lost_error_is_seen_without_another_call);
        tcase_add_test(tests, releases_go_on_when_the_daemon_cannot_get_rid_of_its_answers);
        tcase_add_test(tests, empty_replies_to_releases_and_unknown_messages_are_fine);
        return harness_run(suite);
}
