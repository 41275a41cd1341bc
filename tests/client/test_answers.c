// SPDX-License-Identifier: Apache-2.0
#include "scripted.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static const struct filemem_range page = {0, PEER_PAGE};

/* ---- answers that make no sense, after which the session goes on ------------------------------
 */

static const struct odd {
        uint64_t start, end;
        Filemem__Result__BodyCase body;
        int results;
        int status;
        int expected;
} odds[] = {
        {PEER_PAGE, 3 * PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, 1, 0, -EPROTO},
        {1, PEER_PAGE + 1, FILEMEM__RESULT__BODY_ALLOCATED, 1, 0, -EPROTO},
        {PEER_CAPACITY, PEER_CAPACITY + PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, 1, 0, -EPROTO},
        {UINT64_MAX - 4095, 0, FILEMEM__RESULT__BODY_ALLOCATED, 1, 0, -EPROTO},
        {PEER_PAGE, 0, FILEMEM__RESULT__BODY_ALLOCATED, 1, 0, -EPROTO},
        {0, PEER_PAGE, FILEMEM__RESULT__BODY__NOT_SET, 1, 0, -EPROTO},
        {0, PEER_PAGE, FILEMEM__RESULT__BODY_PONG, 1, 0, -EPROTO},
        {0, PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, 0, 0, -EPROTO},
        {0, PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, 2, 0, -EPROTO},
        {0, PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, 1, 9999, -EPROTO},
        {0, PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, 1, -1, -EPROTO},
        /* The request as a whole. */
        {0, PEER_PAGE, FILEMEM__RESULT__BODY_ALLOCATED, -FILEMEM__STATUS__STATUS_EDQUOT, 0,
                -EDQUOT},
};

static void answer_oddly(struct peer *where)
{
        const struct odd *odd = where->argument;
        Filemem__Allocated allocated = FILEMEM__ALLOCATED__INIT;
        Filemem__Pong pong = FILEMEM__PONG__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT;
        Filemem__Result *results[] = {&result, &result};
        Filemem__Reply reply = FILEMEM__REPLY__INIT;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;

        peer_greet(where);
        allocated.start = odd->start;
        allocated.end = odd->end;
        result.status = (Filemem__Status)odd->status;
        result.body_case = odd->body;
        if (odd->body == FILEMEM__RESULT__BODY_PONG)
                result.pong = &pong;
        else
                result.allocated = &allocated;
        reply.id = peer_receive_request(where)->id;
        if (odd->results < 0)
                reply.status = (Filemem__Status)-odd->results;
        else
                reply.n_results = (size_t)odd->results;
        reply.results = results;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        peer_send(where, &message, NULL, 0);
        peer_reply(where, peer_receive_request(where)->id, NULL);
}

START_TEST(an_odd_answer_fails_its_call_alone)
{
        struct filemem_range range = {7, 8};

        scripted_begin(answer_oddly, &odds[_i]);
        ck_assert_int_eq(
                filemem_allocate(session, PEER_PAGE, FILEMEM_SYSTEM, &range), odds[_i].expected);
        ck_assert_uint_eq(range.start, 7);
        ck_assert_int_eq(filemem_ping(session), 0);
        scripted_end();
}
END_TEST

/* ---- answers that make no sense, after which nothing goes on -----------------------------------
 */

enum breach {
        BREACH_NOISE,
        BREACH_TOO_LONG,
        BREACH_BOMB,
        BREACH_FDS,
        BREACH_WRONG_ID,
        BREACH_ID_ZERO,
        BREACH_WELCOME,
        BREACHES,
};

static void send_bomb(struct peer *where)
{
        /* A Reply of as many empty results as fit: what decoding it would take is not there. */
        static uint8_t bomb[WIRE_MESSAGE_MAX];
        size_t length = sizeof(bomb) - 4, at = 0;

        bomb[at++] = 2 << 3 | 2;
        bomb[at++] = (uint8_t)(length | 0x80);
        bomb[at++] = (uint8_t)(length >> 7 | 0x80);
        bomb[at++] = (uint8_t)(length >> 14);
        while (at + 1 < sizeof(bomb)) {
                bomb[at++] = 4 << 3 | 2;
                bomb[at++] = 0;
        }
        peer_send_bytes(where, bomb, sizeof(bomb), NULL, 0);
}

static void breach(struct peer *where)
{
        static uint8_t noise[WIRE_MESSAGE_MAX + 1] = {0xff, 0xff, 0xff};
        enum breach what = *(const enum breach *)where->argument;
        const uint8_t empty_event[] = {3 << 3 | 2, 0};
        Filemem__Welcome welcome;
        uint64_t id;

        peer_greet(where);
        id = peer_receive_request(where)->id;
        switch (what) {
        case BREACH_NOISE:
                peer_send_bytes(where, noise, 10, NULL, 0);
                break;
        case BREACH_TOO_LONG:
                peer_send_bytes(where, noise, sizeof(noise), NULL, 0);
                break;
        case BREACH_BOMB:
                send_bomb(where);
                break;
        case BREACH_FDS:
                peer_send_bytes(where, empty_event, sizeof(empty_event), &where->memfd, 1);
                break;
        case BREACH_WRONG_ID:
                peer_reply(where, id + 1, NULL);
                break;
        case BREACH_ID_ZERO:
                peer_reply(where, 0, NULL);
                break;
        case BREACH_WELCOME:
                peer_fill_welcome(where, &welcome);
                peer_send_welcome(where, &welcome, NULL, 0);
                break;
        case BREACHES:
                break;
        }
        peer_await(where, 1);
}

START_TEST(a_breach_of_the_protocol_ends_the_session_without_leaks)
{
        enum breach what = (enum breach)_i;
        size_t fds;

        scripted_begin(breach, &what);
        fds = harness_count_fds();
        ck_assert_int_eq(filemem_ping(session), -EPROTO);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_int_eq(filemem_ping(session), -EPROTO);
        ck_assert_int_eq(filemem_release(session, page), -EPROTO);
        ck_assert_uint_eq(harness_count_fds(), fds);
        peer_reach(&peer, 1);
        scripted_end();
}
END_TEST

/* ---- the end --------------------------------------------------------------------------------- */

enum ending {
        ENDING_BEFORE_REQUEST,
        ENDING_UNREAD_REQUEST,
        ENDING_AFTER_REQUEST,
        ENDING_EMPTY_PACKET,
        ENDING_GOODBYE,
        ENDING_GOODBYE_UNREAD,
        ENDING_GOODBYE_OK,
        ENDINGS,
};

static void end_somehow(struct peer *where)
{
        enum ending ending = *(const enum ending *)where->argument;

        peer_greet(where);
        if (ending == ENDING_BEFORE_REQUEST)
                return;
        if (ending == ENDING_UNREAD_REQUEST || ending == ENDING_GOODBYE_UNREAD) {
                /* The request is in the socket when it is closed: that is ECONNRESET for the other.
                 */
                peer_await(where, 1);
                poll(&(struct pollfd){.fd = where->fd, .events = POLLIN}, 1, -1);
        } else {
                peer_receive_request(where);
        }
        if (ending == ENDING_EMPTY_PACKET)
                peer_send_bytes(where, "", 0, NULL, 0);
        if (ending == ENDING_GOODBYE || ending == ENDING_GOODBYE_UNREAD)
                peer_send_goodbye(where, FILEMEM__STATUS__STATUS_EPROTO, "you said too much");
        if (ending == ENDING_GOODBYE_OK)
                peer_send_goodbye(where, FILEMEM__STATUS__STATUS_OK, "stopping");
}

START_TEST(an_end_at_any_point_is_told_to_this_call_and_all_later_ones)
{
        static const struct {
                int first;
                const char *sentence;
        } expected[] = {
                [ENDING_BEFORE_REQUEST] = {-ECONNRESET, "gone"},
                [ENDING_UNREAD_REQUEST] = {-ECONNRESET, "gone"},
                [ENDING_AFTER_REQUEST] = {-ECONNRESET, "gone"},
                [ENDING_EMPTY_PACKET] = {-ECONNRESET, "gone"},
                [ENDING_GOODBYE] = {-EPROTO, "you said too much"},
                [ENDING_GOODBYE_UNREAD] = {-EPROTO, "you said too much"},
                [ENDING_GOODBYE_OK] = {-ECONNRESET, "stopping"},
        };
        enum ending ending = (enum ending)_i;
        struct filemem_range range;
        uint64_t total;
        void *address;

        scripted_begin(end_somehow, &ending);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_map(session, page, 3, &address), 0);
        ck_assert_int_eq(filemem_ping(session), expected[_i].first);
        ck_assert_msg(strstr(filemem_last_error(session), expected[_i].sentence) != NULL, "%s",
                filemem_last_error(session));
        ck_assert_int_eq(filemem_allocate(session, PEER_PAGE, FILEMEM_MAPPED, &range), -ECONNRESET);
        ck_assert_msg(strstr(filemem_last_error(session), expected[_i].sentence) != NULL, "%s",
                filemem_last_error(session));
        ck_assert_int_eq(filemem_release(session, page), -ECONNRESET);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        /* What needs no daemon still works. */
        memcpy(address, "still", 6);
        ck_assert_int_eq(filemem_total_usage(session, &total), 0);
        ck_assert_uint_eq(total, PEER_PAGE);
        ck_assert_int_eq(filemem_map(session, (struct filemem_range){PEER_CHUNK, 2 * PEER_CHUNK}, 3,
                                 &address),
                0);
        scripted_end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("answers");
        TCase *tests = harness_case(suite, "answers", 20);

        tcase_add_loop_test(
                tests, an_odd_answer_fails_its_call_alone, 0, sizeof(odds) / sizeof(odds[0]));
        tcase_add_loop_test(
                tests, a_breach_of_the_protocol_ends_the_session_without_leaks, 0, BREACHES);
        tcase_add_loop_test(
                tests, an_end_at_any_point_is_told_to_this_call_and_all_later_ones, 0, ENDINGS);
        return harness_run(suite);
}
