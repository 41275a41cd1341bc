// SPDX-License-Identifier: Apache-2.0
#include "scripted.h"
#include "support/harness.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

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
        scripted_begin(send_sessions, &session_lists[_i]);
        ck_assert_int_eq(filemem_sessions(session, 10, infos, 2), session_lists[_i].expected);
        ck_assert_uint_eq(infos[2].session, UINT64_C(0x5a5a5a5a5a5a5a5a));
        if (session_lists[_i].expected > 0)
                ck_assert_uint_eq(strlen(infos[0].label), 64);
        scripted_end();
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
        scripted_begin(send_dump, &dump_lists[_i]);
        ck_assert_int_eq(filemem_dump(session, 4096, entries, 2), dump_lists[_i].expected);
        ck_assert_uint_eq(entries[2].range.start, UINT64_C(0x5a5a5a5a5a5a5a5a));
        if (dump_lists[_i].expected > 0)
                ck_assert_ptr_null(filemem_kind_name(entries[0].kind));
        scripted_end();
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

        scripted_begin(send_usage, NULL);
        ck_assert_int_eq(filemem_usage(session, &usage), 0);
        for (int kind = 0; kind < FILEMEM_MAPPED; kind++)
                ck_assert_uint_eq(usage.allocated[kind], 0);
        ck_assert_uint_eq(usage.allocated[FILEMEM_MAPPED], 5);
        ck_assert_uint_eq(usage.total, 9);
        ck_assert(usage.exact);
        scripted_end();
}
END_TEST

/* ---- sizes ----------------------------------------------------------------------------------- */

/* As a later version of the header has it. */
struct later_usage {
        struct filemem_usage usage;
        uint64_t more[2];
};

START_TEST(of_a_structure_that_has_grown_the_rest_is_zero)
{
        struct later_usage later;

        memset(&later, 0x5a, sizeof(later));
        scripted_begin(send_usage, NULL);
        ck_assert_int_eq(filemem_usage_of_sized(session, NULL, &later.usage, sizeof(later)), 0);
        ck_assert_uint_eq(later.usage.total, 9);
        ck_assert_uint_eq(later.usage.allocated[FILEMEM_MAPPED], 5);
        ck_assert_uint_eq(later.more[0], 0);
        ck_assert_uint_eq(later.more[1], 0);
        scripted_end();
}
END_TEST

START_TEST(what_pads_a_structure_is_not_written)
{
        const size_t size = offsetof(struct filemem_usage, exact) + sizeof(bool);
        struct filemem_usage usage;

        memset(&usage, 0x5a, sizeof(usage));
        scripted_begin(send_usage, NULL);
        ck_assert_int_eq(filemem_usage_of_sized(session, NULL, &usage, size), 0);
        ck_assert(usage.exact);
        ck_assert_int_eq(((unsigned char *)&usage)[size], 0x5a);
        scripted_end();
}
END_TEST

struct later_info {
        struct filemem_session_info info;
        uint64_t more;
};

START_TEST(of_a_list_each_one_has_the_size_of_the_caller)
{
        static const struct list two = {2, {11, 12}, 2};
        struct later_info infos[3];

        memset(infos, 0x5a, sizeof(infos));
        scripted_begin(send_sessions, &two);
        ck_assert_int_eq(
                filemem_sessions_sized(session, 10, &infos[0].info, 2, sizeof(infos[0])), 2);
        ck_assert_uint_eq(infos[0].info.session, 11);
        ck_assert_uint_eq(infos[0].more, 0);
        ck_assert_uint_eq(infos[1].info.session, 12);
        ck_assert_uint_eq(strlen(infos[1].info.label), 64);
        ck_assert_uint_eq(infos[1].more, 0);
        ck_assert_uint_eq(infos[2].more, UINT64_C(0x5a5a5a5a5a5a5a5a));
        scripted_end();
}
END_TEST

static void greet_only(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
}

START_TEST(less_than_the_first_version_is_refused)
{
        union {
                struct filemem_usage usage;
                struct filemem_pool pool;
                struct filemem_status status;
                struct filemem_limit limit;
                struct filemem_session_info info;
                struct filemem_holding holding;
                struct filemem_holder holder;
                struct filemem_event event;
                struct filemem_entry entry;
                struct filemem_completion completion;
        } any;
        const struct filemem_range page = {0, PEER_PAGE};
        filemem_queue *queue;

        scripted_begin(greet_only, NULL);
        ck_assert_int_eq(filemem_usage_of_sized(
                                 session, NULL, &any.usage, offsetof(struct filemem_usage, exact)),
                -EINVAL);
        ck_assert_int_eq(filemem_update_usage_of_sized(session, NULL, &any.usage, 0), -EINVAL);
        ck_assert_int_eq(filemem_pool_info_of_sized(session, NULL, &any.pool, 8), -EINVAL);
        ck_assert_int_eq(filemem_pools_sized(session, 0, &any.pool, 1, 8), -EINVAL);
        ck_assert_int_eq(filemem_status_sized(session, &any.status, 8), -EINVAL);
        ck_assert_int_eq(filemem_limits_of_sized(session, NULL, &any.limit, 1, 8), -EINVAL);
        ck_assert_int_eq(filemem_sessions_sized(session, 0, &any.info, 1, 8), -EINVAL);
        ck_assert_int_eq(filemem_holdings_sized(session, 1, 0, &any.holding, 1, 8), -EINVAL);
        ck_assert_int_eq(
                filemem_holders_sized(session, NULL, page, 0, &any.holder, 1, NULL, 8), -EINVAL);
        ck_assert_int_eq(filemem_trace_sized(session, NULL, &any.event, 1, NULL, 8), -EINVAL);
        ck_assert_int_eq(filemem_dump_of_sized(session, NULL, 0, &any.entry, 1, 8), -EINVAL);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
        ck_assert_int_eq(filemem_next_sized(queue, &any.completion, 8), -EINVAL);
        filemem_queue_close(queue);
        peer_reach(&peer, 1);
        scripted_end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reports");
        TCase *tests = harness_case(suite, "reports", 20);

        tcase_add_loop_test(tests, a_list_of_sessions_ascends_and_fits, 0,
                sizeof(session_lists) / sizeof(session_lists[0]));
        tcase_add_loop_test(tests, a_dump_ascends_lies_in_the_pool_and_fits, 0,
                sizeof(dump_lists) / sizeof(dump_lists[0]));
        tcase_add_test(tests, kinds_that_we_do_not_know_are_left_out);
        tcase_add_test(tests, of_a_structure_that_has_grown_the_rest_is_zero);
        tcase_add_test(tests, what_pads_a_structure_is_not_written);
        tcase_add_test(tests, of_a_list_each_one_has_the_size_of_the_caller);
        tcase_add_test(tests, less_than_the_first_version_is_refused);
        return harness_run(suite);
}
