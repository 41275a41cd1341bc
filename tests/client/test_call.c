// SPDX-License-Identifier: Apache-2.0
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static const struct filemem_range page = {0, PEER_PAGE};

/* A session with a peer that greets, does `script` and hangs up. */
static struct peer peer;
static filemem_session *session;

static void begin(void (*script)(struct peer *peer), const void *argument)
{
        peer_start(&peer, script, argument);
        session = peer_open(&peer);
}

static void end(void)
{
        filemem_close(session);
        peer_stop(&peer);
}

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

        begin(allocate_at_2m, NULL);
        ck_assert_int_eq(filemem_allocate(session, 3 * PEER_PAGE, FILEMEM_TMPFS, &range), 0);
        ck_assert_uint_eq(range.start, 2 << 20);
        ck_assert_uint_eq(range.end, (2 << 20) + 3 * PEER_PAGE);
        ck_assert_str_eq(filemem_last_error(session), "");
        end();
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
        begin(check_operations, NULL);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_incref(session, page), 0);
        ck_assert_int_eq(filemem_decref(session, page), 0);
        ck_assert_int_eq(filemem_decommit(session, page, FILEMEM_DECOMMIT_SHARED), 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        end();
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
        begin(refuse, NULL);
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
        end();
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

        begin(refuse, NULL);
        ck_assert_int_eq(filemem_decommit(session, page, 0), -EBUSY);
        ck_assert_int_eq(pthread_create(&thread, NULL, read_last_error, NULL), 0);
        pthread_join(thread, &seen);
        ck_assert_ptr_null(seen);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
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

        begin(greet_only, NULL);
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
        end();
}
END_TEST

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

        begin(answer_oddly, &odds[_i]);
        ck_assert_int_eq(
                filemem_allocate(session, PEER_PAGE, FILEMEM_SYSTEM, &range), odds[_i].expected);
        ck_assert_uint_eq(range.start, 7);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
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

        begin(breach, &what);
        fds = harness_count_fds();
        ck_assert_int_eq(filemem_ping(session), -EPROTO);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_int_eq(filemem_ping(session), -EPROTO);
        ck_assert_int_eq(filemem_release(session, page), -EPROTO);
        ck_assert_uint_eq(harness_count_fds(), fds);
        peer_reach(&peer, 1);
        end();
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

        begin(end_somehow, &ending);
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
        end();
}
END_TEST

/* ---- lists ----------------------------------------------------------------------------------- */

static const struct list {
        unsigned count;
        uint64_t numbers[6]; /* identities, or start and end */
        int expected;
} session_lists[] =
        {
                {0, {0}, 0},
                {2, {11, 12}, 2},
                {3, {11, 12, 13}, -EPROTO}, /* two were asked for */
                {1, {10}, -EPROTO},         /* not after 10 */
                {2, {12, 11}, -EPROTO},
                {2, {12, 12}, -EPROTO},
},
  dump_lists[] = {
          {0, {0}, 0},
          {1, {0, 8192}, 1}, /* begins before, ends after `from` */
          {2, {4096, 8192, 8192, 12288}, 2},
          {3, {4096, 8192, 8192, 12288, 12288, 16384}, -EPROTO},
          {1, {0, 4096}, -EPROTO}, /* ends before */
          {1, {8192, 8192}, -EPROTO},
          {1, {8191, 12288}, -EPROTO},
          {2, {4096, 12288, 8192, 16384}, -EPROTO},
          {1, {4096, PEER_CAPACITY + 4096}, -EPROTO},
};

static void send_sessions(struct peer *where)
{
        const struct list *list = where->argument;
        Filemem__SessionsPage list_page = FILEMEM__SESSIONS_PAGE__INIT;
        Filemem__SessionReport reports[6], *pointers[6];
        Filemem__Result result = FILEMEM__RESULT__INIT;
        char label[200];

        memset(label, 'l', sizeof(label));
        label[sizeof(label) - 1] = '\0';
        peer_greet(where);
        for (unsigned i = 0; i < list->count; i++) {
                filemem__session_report__init(&reports[i]);
                reports[i].session = list->numbers[i];
                reports[i].label = label;
                pointers[i] = &reports[i];
        }
        list_page.n_sessions = list->count;
        list_page.sessions = pointers;
        result.body_case = FILEMEM__RESULT__BODY_SESSIONS;
        result.sessions = &list_page;
        peer_reply(where, peer_receive_request(where)->id, &result);
}

START_TEST(a_list_of_sessions_ascends_and_fits)
{
        struct filemem_session_info infos[3];

        memset(infos, 0x5a, sizeof(infos));
        begin(send_sessions, &session_lists[_i]);
        ck_assert_int_eq(filemem_sessions(session, 10, infos, 2), session_lists[_i].expected);
        ck_assert_uint_eq(infos[2].session, UINT64_C(0x5a5a5a5a5a5a5a5a));
        if (session_lists[_i].expected > 0)
                ck_assert_uint_eq(strlen(infos[0].label), 64);
        end();
}
END_TEST

static void send_dump(struct peer *where)
{
        const struct list *list = where->argument;
        Filemem__DumpPage list_page = FILEMEM__DUMP_PAGE__INIT;
        Filemem__DumpEntry entries[3], *pointers[3];
        Filemem__Result result = FILEMEM__RESULT__INIT;

        peer_greet(where);
        for (unsigned i = 0; i < list->count; i++) {
                filemem__dump_entry__init(&entries[i]);
                entries[i].start = list->numbers[(size_t)2 * i];
                entries[i].end = list->numbers[(size_t)2 * i + 1];
                entries[i].kind = (Filemem__Kind)77; /* of a later daemon */
                pointers[i] = &entries[i];
        }
        list_page.n_entries = list->count;
        list_page.entries = pointers;
        result.body_case = FILEMEM__RESULT__BODY_DUMP;
        result.dump = &list_page;
        peer_reply(where, peer_receive_request(where)->id, &result);
}

START_TEST(a_dump_ascends_lies_in_the_pool_and_fits)
{
        struct filemem_entry entries[3];

        memset(entries, 0x5a, sizeof(entries));
        begin(send_dump, &dump_lists[_i]);
        ck_assert_int_eq(filemem_dump(session, 4096, entries, 2), dump_lists[_i].expected);
        ck_assert_uint_eq(entries[2].range.start, UINT64_C(0x5a5a5a5a5a5a5a5a));
        if (dump_lists[_i].expected > 0)
                ck_assert_ptr_null(filemem_kind_name(entries[0].kind));
        end();
}
END_TEST

static void send_usage(struct peer *where)
{
        Filemem__UsageReport report = FILEMEM__USAGE_REPORT__INIT;
        Filemem__KindUsage kinds[] = {
                FILEMEM__KIND_USAGE__INIT, FILEMEM__KIND_USAGE__INIT, FILEMEM__KIND_USAGE__INIT};
        Filemem__KindUsage *pointers[] = {&kinds[0], &kinds[1], &kinds[2]};
        Filemem__Result result = FILEMEM__RESULT__INIT;

        kinds[0].kind = FILEMEM__KIND__KIND_MAPPED;
        kinds[0].allocated = 5;
        kinds[1].kind = (Filemem__Kind)6;
        kinds[1].allocated = 6;
        kinds[2].kind = (Filemem__Kind)-1;
        report.n_kinds = 3;
        report.kinds = pointers;
        report.total = 9;
        report.exact = true;
        result.body_case = FILEMEM__RESULT__BODY_USAGE;
        result.usage = &report;
        peer_greet(where);
        peer_reply(where, peer_receive_request(where)->id, &result);
}

START_TEST(kinds_that_we_do_not_know_are_left_out)
{
        struct filemem_usage usage;

        begin(send_usage, NULL);
        ck_assert_int_eq(filemem_usage(session, &usage), 0);
        for (int kind = 0; kind < FILEMEM_MAPPED; kind++)
                ck_assert_uint_eq(usage.allocated[kind], 0);
        ck_assert_uint_eq(usage.allocated[FILEMEM_MAPPED], 5);
        ck_assert_uint_eq(usage.total, 9);
        ck_assert(usage.exact);
        end();
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

        begin(refuse_releases, NULL);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, text, sizeof(text)), 0);
        ck_assert_int_eq(error, 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        /* In the daemon's order: when the ping is answered the releases were. */
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, text, 5), 2);
        ck_assert_int_eq(error, -EACCES);
        ck_assert_str_eq(text, "not ");
        end();
}
END_TEST

START_TEST(a_lost_error_is_seen_without_another_call)
{
        begin(refuse_releases, NULL);
        ck_assert_int_eq(filemem_release(session, page), 0);
        while (filemem_lost_errors(session, NULL, NULL, 0) == 0)
                poll(NULL, 0, 1);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 1);
        end();
}
END_TEST

START_TEST(releases_go_on_when_the_daemon_cannot_get_rid_of_its_answers)
{
        /* Far more than both sockets hold; nobody waits for a reply, so nobody receives by himself.
         */
        unsigned count = 20000 / harness_slowness();

        begin(refuse_releases, NULL);
        for (unsigned i = 0; i < count; i++)
                ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), count);
        end();
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

        begin(receipt_releases, NULL);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, NULL, 0), 1);
        ck_assert_int_eq(error, -EDQUOT);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("call");
        TCase *tests = harness_case(suite, "call", 20);

        tcase_add_test(tests, an_allocation_says_where);
        tcase_add_test(tests, each_call_is_its_operation);
        tcase_add_test(tests, a_refusal_is_its_errno_and_its_sentence_until_the_next_call);
        tcase_add_test(tests, a_sentence_is_that_of_its_thread);
        tcase_add_test(tests, what_is_plainly_wrong_is_not_sent);
        tcase_add_loop_test(
                tests, an_odd_answer_fails_its_call_alone, 0, sizeof(odds) / sizeof(odds[0]));
        tcase_add_loop_test(
                tests, a_breach_of_the_protocol_ends_the_session_without_leaks, 0, BREACHES);
        tcase_add_loop_test(
                tests, an_end_at_any_point_is_told_to_this_call_and_all_later_ones, 0, ENDINGS);
        tcase_add_loop_test(tests, a_list_of_sessions_ascends_and_fits, 0,
                sizeof(session_lists) / sizeof(session_lists[0]));
        tcase_add_loop_test(tests, a_dump_ascends_lies_in_the_pool_and_fits, 0,
                sizeof(dump_lists) / sizeof(dump_lists[0]));
        tcase_add_test(tests, kinds_that_we_do_not_know_are_left_out);
        tcase_add_test(tests, refused_releases_are_counted);
        tcase_add_test(tests, a_lost_error_is_seen_without_another_call);
        tcase_add_test(tests, releases_go_on_when_the_daemon_cannot_get_rid_of_its_answers);
        tcase_add_test(tests, empty_replies_to_releases_and_unknown_messages_are_fine);
        return harness_run(suite);
}
