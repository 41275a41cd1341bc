// SPDX-License-Identifier: Apache-2.0
#include "test_wire.h"

#include "proto/wire.h"
#include "support/harness.h"

#include <stdbool.h>
#include <string.h>

#define KINDS 6

/* A result of every sort with every number at its maximum and every string at its limit. */
static char text[WIRE_TEXT_MAX + 1];
static char name[WIRE_POOL_MAX + 1];
static char label[WIRE_LABEL_MAX + 1];
static char version[WIRE_VERSION_MAX + 1];
static char accounting[WIRE_ACCOUNTING_MAX + 1];

/*
 * Every scalar field of a message becomes as long on the wire as its type allows; strings and
 * messages are the caller's. So a field that is added later is counted without a change here.
 */
static void fill(ProtobufCMessage *message)
{
        const ProtobufCMessageDescriptor *descriptor = message->descriptor;

        for (unsigned i = 0; i < descriptor->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
                char *where = (char *)message + field->offset;

                switch (field->type) {
                case PROTOBUF_C_TYPE_UINT64:
                        *(uint64_t *)(void *)where = UINT64_MAX;
                        break;
                case PROTOBUF_C_TYPE_UINT32:
                        *(uint32_t *)(void *)where = UINT32_MAX;
                        break;
                case PROTOBUF_C_TYPE_INT32:
                        *(int32_t *)(void *)where = -1;
                        break;
                case PROTOBUF_C_TYPE_BOOL:
                        *(protobuf_c_boolean *)(void *)where = true;
                        break;
                case PROTOBUF_C_TYPE_ENUM:
                        /* The largest of ours; a number that is none is not sent. */
                        *(int *)(void *)where = field->descriptor == &filemem__status__descriptor
                                                        ? FILEMEM__STATUS__STATUS_EDQUOT
                                                        : FILEMEM__KIND__KIND_MAPPED;
                        break;
                default:
                        break;
                }
        }
}

static void fill_strings(void)
{
        memset(text, 't', sizeof(text) - 1);
        memset(name, 'n', sizeof(name) - 1);
        memset(label, 'l', sizeof(label) - 1);
        memset(version, 'v', sizeof(version) - 1);
        memset(accounting, 'a', sizeof(accounting) - 1);
}

/* What a result adds to a reply. */
static size_t cost(Filemem__Result *result)
{
        Filemem__Reply reply = FILEMEM__REPLY__INIT;

        reply.n_results = 1;
        reply.results = &result;
        return filemem__reply__get_packed_size(&reply);
}

static Filemem__UsageReport *full_usage(void)
{
        static Filemem__UsageReport report;
        static Filemem__KindUsage kinds[KINDS];
        static Filemem__KindUsage *pointers[KINDS];

        filemem__usage_report__init(&report);
        fill(&report.base);
        for (unsigned i = 0; i < KINDS; i++) {
                filemem__kind_usage__init(&kinds[i]);
                fill(&kinds[i].base);
                pointers[i] = &kinds[i];
        }
        report.n_kinds = KINDS;
        report.kinds = pointers;
        return &report;
}

START_TEST(a_refusal_keeps_the_bound)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;

        result.status = FILEMEM__STATUS__STATUS_EDQUOT;
        result.text = text;
        ck_assert_uint_eq(cost(&result), 126);
        ck_assert_uint_le(cost(&result), WIRE_RESULT_MAX);
}
END_TEST

START_TEST(an_allocation_keeps_the_bound)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;
        Filemem__Allocated allocated = FILEMEM__ALLOCATED__INIT;

        fill(&allocated.base);
        result.body_case = FILEMEM__RESULT__BODY_ALLOCATED;
        result.allocated = &allocated;
        ck_assert_uint_le(cost(&result), WIRE_RESULT_MAX);
}
END_TEST

START_TEST(a_usage_report_of_all_kinds_keeps_the_bound)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;

        ck_assert_uint_eq(filemem__kind__descriptor.n_values, KINDS);
        result.body_case = FILEMEM__RESULT__BODY_USAGE;
        result.usage = full_usage();
        ck_assert_uint_eq(cost(&result), 230);
        ck_assert_uint_le(cost(&result), WIRE_RESULT_MAX);
}
END_TEST

START_TEST(a_pool_report_keeps_the_bound)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;
        Filemem__PoolReport report = FILEMEM__POOL_REPORT__INIT;

        fill(&report.base);
        report.name = name;
        result.body_case = FILEMEM__RESULT__BODY_POOL_INFO;
        result.pool_info = &report;
        ck_assert_uint_eq(cost(&result), 224);
        ck_assert_uint_le(cost(&result), WIRE_RESULT_MAX);
}
END_TEST

START_TEST(a_status_report_keeps_the_bound)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;
        Filemem__StatusReport report = FILEMEM__STATUS_REPORT__INIT;

        fill(&report.base);
        report.version = version;
        report.accounting = accounting;
        result.body_case = FILEMEM__RESULT__BODY_DAEMON_STATUS;
        result.daemon_status = &report;
        ck_assert_uint_eq(cost(&result), 203);
        ck_assert_uint_le(cost(&result), WIRE_RESULT_MAX);
}
END_TEST

START_TEST(a_reply_of_256_such_results_fits_into_a_message)
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        Filemem__Result result = FILEMEM__RESULT__INIT;
        Filemem__Result *results[WIRE_OPERATIONS_MAX];
        Filemem__Reply reply = FILEMEM__REPLY__INIT;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        ssize_t envelope;

        fill(&reply.base);
        reply.text = text;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        envelope = wire_encode_to_client(&message, buffer);
        ck_assert_int_gt(envelope, 0);
        /* Two bytes more for the length of a reply that is not this short. */
        ck_assert_uint_le((size_t)envelope + 2 + (size_t)WIRE_OPERATIONS_MAX * WIRE_RESULT_MAX,
                WIRE_MESSAGE_MAX);

        result.body_case = FILEMEM__RESULT__BODY_USAGE;
        result.usage = full_usage();
        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++)
                results[i] = &result;
        reply.n_results = WIRE_OPERATIONS_MAX;
        reply.results = results;
        ck_assert_int_gt(wire_encode_to_client(&message, buffer), 0);
}
END_TEST

/* Encodes the reply and returns what decoding it takes. */
static size_t decoded_size(Filemem__Result **results, size_t count)
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        Filemem__Reply reply = FILEMEM__REPLY__INIT;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT, *decoded;
        struct arena arena;
        ssize_t size;
        size_t used;

        fill(&reply.base);
        reply.n_results = count;
        reply.results = results;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        size = wire_encode_to_client(&message, buffer);
        ck_assert_int_gt(size, 0);
        ck_assert_int_eq(arena_init(&arena, WIRE_ARENA_SIZE), 0);
        ck_assert_int_eq(wire_decode_to_client(&arena, buffer, (size_t)size, &decoded), 0);
        ck_assert_uint_eq(decoded->reply->n_results, count);
        used = arena.used;
        arena_deinit(&arena);
        return used;
}

START_TEST(the_largest_replies_decode_within_the_arena)
{
        Filemem__Result result = FILEMEM__RESULT__INIT;
        Filemem__Result *results[WIRE_OPERATIONS_MAX];

        for (unsigned i = 0; i < WIRE_OPERATIONS_MAX; i++)
                results[i] = &result;
        result.text = text;
        result.status = FILEMEM__STATUS__STATUS_EDQUOT;
        decoded_size(results, WIRE_OPERATIONS_MAX);
}
END_TEST

START_TEST(a_full_dump_page_fits_a_message_and_the_arena)
{
        static Filemem__DumpEntry entry;
        Filemem__DumpEntry *entries[WIRE_PAGE_MAX];
        Filemem__DumpPage page = FILEMEM__DUMP_PAGE__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT, *results[] = {&result};

        filemem__dump_entry__init(&entry);
        fill(&entry.base);
        for (unsigned i = 0; i < WIRE_PAGE_MAX; i++)
                entries[i] = &entry;
        fill(&page.base);
        page.n_entries = WIRE_PAGE_MAX;
        page.entries = entries;
        result.body_case = FILEMEM__RESULT__BODY_DUMP;
        result.dump = &page;
        ck_assert_uint_le(decoded_size(results, 1), WIRE_ARENA_SIZE);
}
END_TEST

START_TEST(a_sessions_page_of_short_names_fits_the_arena)
{
        static Filemem__SessionReport report;
        static Filemem__Activity activity;
        Filemem__SessionReport *reports[WIRE_PAGE_MAX];
        Filemem__SessionsPage page = FILEMEM__SESSIONS_PAGE__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT, *results[] = {&result};

        /* With long names and large numbers fewer fit into a message, and its bytes bound it all.
         */
        filemem__session_report__init(&report);
        filemem__activity__init(&activity);
        fill(&report.base);
        report.session = report.age_ns = report.held = report.holdings = 1 << 20;
        report.requests = report.parent = 1;
        report.activity = &activity;
        activity.idle_ns = activity.operations = activity.allocated = activity.queued = 1 << 20;
        activity.refusals = activity.released = 1;
        activity.waiting = true;
        report.label = (char *)"label";
        report.pool = (char *)"default";
        for (unsigned i = 0; i < WIRE_PAGE_MAX; i++)
                reports[i] = &report;
        page.n_sessions = WIRE_PAGE_MAX;
        page.sessions = reports;
        result.body_case = FILEMEM__RESULT__BODY_SESSIONS;
        result.sessions = &page;
        decoded_size(results, 1);

        fill(&report.base);
        fill(&activity.base);
        report.label = label;
        report.pool = name;
        page.n_sessions = 200;
        decoded_size(results, 1);
}
END_TEST

void test_wire_bounds(TCase *tests)
{
        tcase_add_checked_fixture(tests, fill_strings, NULL);
        tcase_add_test(tests, a_refusal_keeps_the_bound);
        tcase_add_test(tests, an_allocation_keeps_the_bound);
        tcase_add_test(tests, a_usage_report_of_all_kinds_keeps_the_bound);
        tcase_add_test(tests, a_pool_report_keeps_the_bound);
        tcase_add_test(tests, a_status_report_keeps_the_bound);
        tcase_add_test(tests, a_reply_of_256_such_results_fits_into_a_message);
        tcase_add_test(tests, the_largest_replies_decode_within_the_arena);
        tcase_add_test(tests, a_full_dump_page_fits_a_message_and_the_arena);
        tcase_add_test(tests, a_sessions_page_of_short_names_fits_the_arena);
}
