// SPDX-License-Identifier: Apache-2.0
#include "test_requests.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the bench ------------------------------------------------------------------------------- */

void bench_start(struct bench *bench)
{
        struct raw_operation operation;

        daemon_start(&bench->daemon, "[pool default]\ncapacity = 64M\n");
        raw_open(&bench->subject, bench->daemon.socket, "subject");
        raw_open(&bench->observer, bench->daemon.socket, "observer");
        ck_assert_uint_eq(bench->observer.capacity, BENCH_CAPACITY);
        ck_assert_uint_eq(raw_get(&bench->subject, 4 * BENCH_PAGE, 1), 0);
        ck_assert_uint_eq(raw_get(&bench->observer, 4 * BENCH_PAGE, 2), 4 * BENCH_PAGE);
        raw_incref(&operation, 0, BENCH_PAGE);
        raw_do(&bench->observer, &operation);
        bench->count = raw_dump_all(&bench->observer, &bench->entries);
        ck_assert_uint_eq(bench->count, 3);
}

static void check_entry(
        const Filemem__DumpEntry *now, const Filemem__DumpEntry *before, const char *row)
{
        ck_assert_msg(now->start == before->start && now->end == before->end &&
                              now->kind == before->kind && now->refs == before->refs,
                "%s: [%llx, %llx) kind %d refs %u was [%llx, %llx) kind %d refs %u", row,
                (unsigned long long)now->start, (unsigned long long)now->end, (int)now->kind,
                now->refs, (unsigned long long)before->start, (unsigned long long)before->end,
                (int)before->kind, before->refs);
}

void bench_check_unchanged(struct bench *bench, const char *row)
{
        Filemem__DumpEntry *entries;
        size_t count;

        raw_settle(&bench->observer);
        count = raw_dump_all(&bench->observer, &entries);
        ck_assert_msg(count == bench->count, "%s: %zu entries were %zu", row, count, bench->count);
        for (size_t i = 0; i < count; i++)
                check_entry(&entries[i], &bench->entries[i], row);
        free(entries);
}

const Filemem__StatusReport *bench_status(struct bench *bench)
{
        struct raw_operation operation;

        raw_daemon_status(&operation);
        return raw_do(&bench->observer, &operation)->daemon_status;
}

void bench_stop(struct bench *bench)
{
        free(bench->entries);
        raw_close(&bench->subject);
        raw_close(&bench->observer);
        daemon_stop(&bench->daemon);
}

static void check_refusal(const char *row, int status, const char *text, enum outcome expected)
{
        ck_assert_msg(
                status == error_status((int)expected) && !strcmp(text, error_text((int)expected)),
                "%s: %d '%s' should be %d '%s'", row, status, text, error_status((int)expected),
                error_text((int)expected));
}

/* ---- lengths and kinds ----------------------------------------------------------------------- */

static const struct allocate_row {
        const char *name;
        uint64_t length;
        int kind;
        enum outcome expected;
} allocate_rows[] = {
        {"zero", 0, 1, OUTCOME_LENGTH_ZERO},
        {"one byte", 1, 1, OUTCOME_LENGTH_UNALIGNED},
        {"a page and a byte", 4097, 1, OUTCOME_LENGTH_UNALIGNED},
        {"all ones", UINT64_MAX, 1, OUTCOME_LENGTH_UNALIGNED},
        {"half the numbers", UINT64_C(1) << 63, 1, OUTCOME_POOL_FULL},
        {"the last page of all numbers", UINT64_MAX - 4095, 1, OUTCOME_POOL_FULL},
        {"a page more than half the numbers", (UINT64_C(1) << 63) + 4096, 1, OUTCOME_POOL_FULL},
        {"more pages than fit 32 bits", UINT64_C(1) << 44, 1, OUTCOME_POOL_FULL},
        {"more than the capacity", BENCH_CAPACITY + 4096, 1, OUTCOME_POOL_FULL},
        {"the capacity, part of which is taken", BENCH_CAPACITY, 1, OUTCOME_POOL_FULL},
        {"all that is left, which is not aligned", BENCH_CAPACITY - 8 * BENCH_PAGE, 1,
                OUTCOME_POOL_FULL},
        {"kind 6", 4096, 6, OUTCOME_KIND_UNKNOWN},
        {"kind 256", 4096, 256, OUTCOME_KIND_UNKNOWN},
        {"kind -1", 4096, -1, OUTCOME_KIND_UNKNOWN},
        {"the lowest kind", 4096, INT32_MIN, OUTCOME_KIND_UNKNOWN},
};

START_TEST(wrong_allocation_is_refused_and_changes_nothing)
{
        const struct allocate_row *row = &allocate_rows[_i];
        const Filemem__Result *result;
        struct raw_operation operation;
        struct bench bench;

        bench_start(&bench);
        raw_allocate(&operation, row->length, row->kind);
        result = raw_call(&bench.subject, &operation);
        check_refusal(row->name, (int)result->status, result->text, row->expected);
        ck_assert_int_eq(result->body_case, FILEMEM__RESULT__BODY__NOT_SET);
        bench_check_unchanged(&bench, row->name);
        ck_assert_uint_eq(bench_status(&bench)->refusals, 1);
        bench_stop(&bench);
}
END_TEST

/* ---- ranges ---------------------------------------------------------------------------------- */

/* What each of the three operations on a range answers; 0 where it is right. */
static const struct range_row {
        const char *name;
        uint64_t start, end;
        enum outcome incref, decref, decommit;
} range_rows[] = {
#define ALL(outcome) outcome, outcome, outcome
        {"nothing", 0, 0, ALL(OUTCOME_RANGE_EMPTY)},
        {"empty", 4096, 4096, ALL(OUTCOME_RANGE_EMPTY)},
        {"backwards", 8192, 4096, ALL(OUTCOME_RANGE_EMPTY)},
        {"wraps around to zero", UINT64_MAX - 4095, 0, ALL(OUTCOME_RANGE_EMPTY)},
        {"wraps around to a page", UINT64_MAX - 4095, 4096, ALL(OUTCOME_RANGE_EMPTY)},
        {"unaligned start", 1, 4096, ALL(OUTCOME_RANGE_UNALIGNED)},
        {"unaligned end", 0, 4095, ALL(OUTCOME_RANGE_UNALIGNED)},
        {"one byte", 0, 1, ALL(OUTCOME_RANGE_UNALIGNED)},
        {"up to the last number", 0, UINT64_MAX, ALL(OUTCOME_RANGE_UNALIGNED)},
        {"beyond the capacity by a page", 0, BENCH_CAPACITY + 4096, ALL(OUTCOME_RANGE_BEYOND)},
        {"behind the capacity", BENCH_CAPACITY, BENCH_CAPACITY + 4096, ALL(OUTCOME_RANGE_BEYOND)},
        {"up to 2^63", 0, UINT64_C(1) << 63, ALL(OUTCOME_RANGE_BEYOND)},
        {"across 2^63", (UINT64_C(1) << 63) - 4096, (UINT64_C(1) << 63) + 4096,
                ALL(OUTCOME_RANGE_BEYOND)},
        {"a page whose number needs 33 bits", UINT64_C(1) << 44, (UINT64_C(1) << 44) + 4096,
                ALL(OUTCOME_RANGE_BEYOND)},
        {"up to the last page of all numbers", 0, UINT64_MAX - 4095, ALL(OUTCOME_RANGE_BEYOND)},
        {"never allocated", 32768, 36864, ALL(OUTCOME_NOT_ALLOCATED)},
        {"the last page of the pool", BENCH_CAPACITY - 4096, BENCH_CAPACITY,
                ALL(OUTCOME_NOT_ALLOCATED)},
        {"all of the pool", 0, BENCH_CAPACITY, ALL(OUTCOME_NOT_ALLOCATED)},
        {"allocated at first, then not", 28672, 36864, ALL(OUTCOME_NOT_ALLOCATED)},
        {"held by somebody else", 16384, 20480, 0, OUTCOME_NOT_HELD, OUTCOME_NOT_HELD},
        {"partly held by somebody else", 12288, 20480, 0, OUTCOME_NOT_HELD, OUTCOME_NOT_HELD},
        {"held by somebody else too", 0, 4096, 0, 0, OUTCOME_SHARED},
        {"partly held by somebody else too", 0, 16384, 0, 0, OUTCOME_SHARED},
#undef ALL
};

typedef void (*build_function)(struct raw_operation *operation, uint64_t start, uint64_t end);

static void check_range_row(
        const struct range_row *row, build_function build, enum outcome expected)
{
        const Filemem__Result *result;
        struct raw_operation operation;
        struct bench bench;

        if (!expected)
                return; /* not wrong for this one */
        bench_start(&bench);
        build(&operation, row->start, row->end);
        result = raw_call(&bench.subject, &operation);
        check_refusal(row->name, (int)result->status, result->text, expected);
        bench_check_unchanged(&bench, row->name);
        bench_stop(&bench);
}

static void build_decommit(struct raw_operation *operation, uint64_t start, uint64_t end)
{
        raw_decommit(operation, start, end, false);
}

START_TEST(wrong_incref_is_refused_and_changes_nothing)
{
        check_range_row(&range_rows[_i], raw_incref, range_rows[_i].incref);
}
END_TEST

START_TEST(wrong_decref_is_refused_and_changes_nothing)
{
        check_range_row(&range_rows[_i], raw_decref, range_rows[_i].decref);
}
END_TEST

START_TEST(wrong_decommit_is_refused_and_changes_nothing)
{
        check_range_row(&range_rows[_i], build_decommit, range_rows[_i].decommit);
}
END_TEST

/* ---- single rows ----------------------------------------------------------------------------- */

START_TEST(decref_of_more_than_was_taken_is_refused)
{
        struct raw_operation operations[2];
        const Filemem__Reply *reply;
        struct bench bench;
        uint64_t start;

        bench_start(&bench);
        start = raw_get(&bench.subject, BENCH_PAGE, 1);
        raw_decref(&operations[0], start, start + BENCH_PAGE);
        raw_decref(&operations[1], start, start + BENCH_PAGE);
        reply = raw_receive_reply(&bench.subject, raw_request(&bench.subject, operations, 2));
        ck_assert_uint_eq(reply->n_results, 2);
        ck_assert_int_eq(reply->results[0]->status, FILEMEM__STATUS__STATUS_OK);
        /* Freed is not allocated, whether it has been given back already or not. */
        check_refusal("second", (int)reply->results[1]->status, reply->results[1]->text,
                OUTCOME_NOT_ALLOCATED);
        bench_check_unchanged(&bench, "second decref");
        bench_stop(&bench);
}
END_TEST

START_TEST(freed_range_cannot_be_revived)
{
        struct raw_operation operations[2];
        const Filemem__Reply *reply;
        struct bench bench;
        uint64_t start;

        bench_start(&bench);
        start = raw_get(&bench.subject, BENCH_PAGE, 1);
        raw_decref(&operations[0], start, start + BENCH_PAGE);
        raw_incref(&operations[1], start, start + BENCH_PAGE);
        reply = raw_receive_reply(&bench.subject, raw_request(&bench.subject, operations, 2));
        check_refusal("incref", (int)reply->results[1]->status, reply->results[1]->text,
                OUTCOME_NOT_ALLOCATED);
        bench_check_unchanged(&bench, "incref of what is freed");
        bench_stop(&bench);
}
END_TEST

START_TEST(operation_without_body_is_unknown)
{
        struct raw_operation operation;
        const Filemem__Result *result;
        struct bench bench;

        bench_start(&bench);
        filemem__operation__init(&operation.operation);
        result = raw_call(&bench.subject, &operation);
        check_refusal("no body", (int)result->status, result->text, OUTCOME_OPERATION_UNKNOWN);
        bench_check_unchanged(&bench, "no body");
        bench_stop(&bench);
}
END_TEST

START_TEST(operation_of_a_later_version_is_unknown_and_its_neighbours_are_done)
{
        uint8_t nothing[] = {0}; /* an empty message */
        ProtobufCMessageUnknownField field = {.tag = 99,
                .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                .len = 1,
                .data = nothing};
        struct raw_operation operations[3];
        const Filemem__Reply *reply;
        struct bench bench;

        bench_start(&bench);
        raw_ping(&operations[0]);
        filemem__operation__init(&operations[1].operation);
        operations[1].operation.base.n_unknown_fields = 1;
        operations[1].operation.base.unknown_fields = &field;
        raw_ping(&operations[2]);
        reply = raw_receive_reply(&bench.subject, raw_request(&bench.subject, operations, 3));
        ck_assert_uint_eq(reply->n_results, 3);
        ck_assert_int_eq(reply->results[0]->body_case, FILEMEM__RESULT__BODY_PONG);
        check_refusal("later", (int)reply->results[1]->status, reply->results[1]->text,
                OUTCOME_OPERATION_UNKNOWN);
        ck_assert_int_eq(reply->results[2]->body_case, FILEMEM__RESULT__BODY_PONG);
        bench_check_unchanged(&bench, "later version");
        bench_stop(&bench);
}
END_TEST

START_TEST(unknown_field_is_ignored)
{
        uint8_t number[] = {1};
        ProtobufCMessageUnknownField field = {
                .tag = 99, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = number};
        struct raw_operation operation;
        struct bench bench;

        bench_start(&bench);
        raw_ping(&operation);
        operation.body.ping.base.n_unknown_fields = 1;
        operation.body.ping.base.unknown_fields = &field;
        ck_assert_int_eq(raw_do(&bench.subject, &operation)->body_case, FILEMEM__RESULT__BODY_PONG);
        bench_check_unchanged(&bench, "unknown field");
        bench_stop(&bench);
}
END_TEST

static void check_refused_batch(size_t count, enum outcome expected)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX + 1];
        const Filemem__Reply *reply;
        struct bench bench;

        bench_start(&bench);
        for (size_t i = 0; i < count; i++) {
                raw_allocate(&operations[i], BENCH_PAGE, 1);
                operations[i].operation.no_reply =
                        i % 2 == 1; /* the refusal is told all the same */
        }
        reply = raw_receive_reply(&bench.subject, raw_request(&bench.subject, operations, count));
        check_refusal("batch", (int)reply->status, reply->text, expected);
        ck_assert_uint_eq(reply->n_results, 0);
        bench_check_unchanged(&bench, "batch");
        bench_stop(&bench);
}

START_TEST(empty_batch_is_refused)
{
        check_refused_batch(0, OUTCOME_BATCH_EMPTY);
}
END_TEST

START_TEST(batch_of_257_is_refused_whole)
{
        check_refused_batch(WIRE_OPERATIONS_MAX + 1, OUTCOME_BATCH_TOO_LONG);
}
END_TEST

START_TEST(operations_of_a_batch_do_not_depend_on_each_other)
{
        struct raw_operation operations[5];
        const Filemem__Reply *reply;
        struct bench bench;

        bench_start(&bench);
        raw_incref(&operations[0], 4096, 8192);
        raw_decref(&operations[1], 0, 1);
        raw_decommit(&operations[2], 1 << 20, 2 << 20, true);
        raw_decref(&operations[3], 4096, 8192);
        raw_ping(&operations[4]);
        reply = raw_receive_reply(&bench.subject, raw_request(&bench.subject, operations, 5));
        ck_assert_uint_eq(reply->n_results, 5);
        ck_assert_int_eq(reply->results[0]->status, 0);
        ck_assert_int_eq(reply->results[1]->status, EINVAL);
        ck_assert_int_eq(reply->results[2]->status, ENOENT);
        ck_assert_int_eq(reply->results[3]->status, 0);
        ck_assert_int_eq(reply->results[4]->body_case, FILEMEM__RESULT__BODY_PONG);
        bench_check_unchanged(&bench, "mixed batch");
        bench_stop(&bench);
}
END_TEST

/* ---- no reply -------------------------------------------------------------------------------- */

START_TEST(no_reply_operations_are_silent_unless_they_fail)
{
        struct raw_operation operations[4];
        const Filemem__ToClient *message;
        struct bench bench;
        uint64_t id;

        bench_start(&bench);
        raw_incref(&operations[0], 4096, 8192);
        raw_decref(&operations[1], 4096, 8192);
        raw_decref(&operations[2], 16384, 20480);
        raw_decref(&operations[3], 0, 0);
        for (int i = 0; i < 4; i++)
                operations[i].operation.no_reply = true;
        id = raw_request(&bench.subject, operations, 4);
        for (uint32_t i = 2; i < 4; i++) {
                message = raw_receive(&bench.subject);
                ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_EVENT);
                ck_assert_uint_eq(message->event->request, id);
                ck_assert_uint_eq(message->event->operation, i);
                check_refusal("event", (int)message->event->status, message->event->text,
                        i == 2 ? OUTCOME_NOT_HELD : OUTCOME_RANGE_EMPTY);
        }
        raw_ping(&operations[0]);
        raw_do(&bench.subject, &operations[0]); /* and nothing came between */
        bench_check_unchanged(&bench, "no reply");
        bench_stop(&bench);
}
END_TEST

START_TEST(events_come_after_the_reply_of_their_request)
{
        struct raw_operation operations[3];
        const Filemem__ToClient *message;
        const Filemem__Reply *reply;
        struct bench bench;
        uint64_t id;

        bench_start(&bench);
        raw_decref(&operations[0], 0, 0);
        operations[0].operation.no_reply = true;
        raw_decommit(&operations[1], 16384, 20480, false); /* one that is done elsewhere */
        operations[1].operation.no_reply = true;
        raw_ping(&operations[2]);
        id = raw_request(&bench.subject, operations, 3);
        reply = raw_receive_reply(&bench.subject, id);
        ck_assert_uint_eq(reply->n_results, 1);
        ck_assert_int_eq(reply->results[0]->body_case, FILEMEM__RESULT__BODY_PONG);
        for (uint32_t i = 0; i < 2; i++) {
                message = raw_receive(&bench.subject);
                ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_EVENT);
                ck_assert_uint_eq(message->event->operation, i);
        }
        bench_check_unchanged(&bench, "events");
        bench_stop(&bench);
}
END_TEST

/* ---- questions at their edges ---------------------------------------------------------------- */

START_TEST(lists_beyond_their_end_are_empty)
{
        struct raw_operation operation;
        const Filemem__Result *result;
        struct bench bench;

        bench_start(&bench);
        raw_dump(&operation, UINT64_MAX, 0);
        result = raw_do(&bench.subject, &operation);
        ck_assert_uint_eq(result->dump->n_entries, 0);
        ck_assert_uint_eq(result->dump->next, 0);
        raw_dump(&operation, UINT64_C(1) << 63, UINT32_MAX);
        ck_assert_uint_eq(raw_do(&bench.subject, &operation)->dump->n_entries, 0);
        raw_sessions(&operation, UINT64_MAX, UINT32_MAX);
        result = raw_do(&bench.subject, &operation);
        ck_assert_uint_eq(result->sessions->n_sessions, 0);
        ck_assert_uint_eq(result->sessions->next, 0);
        bench_check_unchanged(&bench, "lists");
        bench_stop(&bench);
}
END_TEST

START_TEST(lists_keep_their_limit_and_say_where_to_go_on)
{
        struct raw_operation operation;
        const Filemem__Result *result;
        struct bench bench;

        bench_start(&bench);
        raw_dump(&operation, 0, 2);
        result = raw_do(&bench.subject, &operation);
        ck_assert_uint_eq(result->dump->n_entries, 2);
        ck_assert_uint_eq(result->dump->next, result->dump->entries[1]->end);
        raw_dump(&operation, 0, 3);
        ck_assert_uint_eq(raw_do(&bench.subject, &operation)->dump->next, 0);
        raw_sessions(&operation, 0, 1);
        result = raw_do(&bench.subject, &operation);
        ck_assert_uint_eq(result->sessions->n_sessions, 1);
        ck_assert_uint_eq(result->sessions->next, bench.subject.session);
        raw_sessions(&operation, bench.subject.session, 0);
        result = raw_do(&bench.subject, &operation);
        ck_assert_uint_eq(result->sessions->n_sessions, 1);
        ck_assert_str_eq(result->sessions->sessions[0]->label, "observer");
        ck_assert_uint_eq(result->sessions->sessions[0]->held, 5 * BENCH_PAGE);
        ck_assert_uint_eq(result->sessions->next, 0);
        bench_stop(&bench);
}
END_TEST

START_TEST(usage_says_whether_it_was_ever_scanned)
{
        struct raw_operation operation;
        const Filemem__UsageReport *usage;
        struct bench bench;

        bench_start(&bench);
        raw_usage(&operation);
        usage = raw_do(&bench.subject, &operation)->usage;
        ck_assert_uint_eq(usage->n_kinds, 6);
        ck_assert_uint_eq(usage->kinds[1]->allocated, 4 * BENCH_PAGE);
        ck_assert_uint_eq(usage->kinds[2]->allocated, 4 * BENCH_PAGE);
        ck_assert_uint_eq(usage->age_ns, UINT64_MAX);
        raw_update_usage(&operation);
        usage = raw_do(&bench.subject, &operation)->usage;
        ck_assert_uint_lt(usage->age_ns, UINT64_MAX);
        ck_assert_uint_eq(usage->total, 0);
        bench_check_unchanged(&bench, "usage");
        bench_stop(&bench);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void add_request_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "arguments", 60);

        tcase_add_loop_test(
                tests, wrong_allocation_is_refused_and_changes_nothing, 0, ROWS(allocate_rows));
        tcase_add_loop_test(
                tests, wrong_incref_is_refused_and_changes_nothing, 0, ROWS(range_rows));
        tcase_add_loop_test(
                tests, wrong_decref_is_refused_and_changes_nothing, 0, ROWS(range_rows));
        tcase_add_loop_test(
                tests, wrong_decommit_is_refused_and_changes_nothing, 0, ROWS(range_rows));
        tcase_add_test(tests, decref_of_more_than_was_taken_is_refused);
        tcase_add_test(tests, freed_range_cannot_be_revived);

        tests = harness_case(suite, "batches", 60);
        tcase_add_test(tests, operation_without_body_is_unknown);
        tcase_add_test(tests, operation_of_a_later_version_is_unknown_and_its_neighbours_are_done);
        tcase_add_test(tests, unknown_field_is_ignored);
        tcase_add_test(tests, empty_batch_is_refused);
        tcase_add_test(tests, batch_of_257_is_refused_whole);
        tcase_add_test(tests, operations_of_a_batch_do_not_depend_on_each_other);
        tcase_add_test(tests, no_reply_operations_are_silent_unless_they_fail);
        tcase_add_test(tests, events_come_after_the_reply_of_their_request);

        tests = harness_case(suite, "questions", 60);
        tcase_add_test(tests, lists_beyond_their_end_are_empty);
        tcase_add_test(tests, lists_keep_their_limit_and_say_where_to_go_on);
        tcase_add_test(tests, usage_says_whether_it_was_ever_scanned);
}

int main(void)
{
        Suite *suite = suite_create("requests");

        add_request_tests(suite);
        add_protocol_tests(suite);
        return harness_run(suite);
}
