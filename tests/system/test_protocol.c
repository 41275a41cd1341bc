// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "test_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX 253 /* of one message: SCM_MAX_FD */

/* ---- what is wrong --------------------------------------------------------------------------- */

/* A Hello, or a request to ping, as bytes. Returns how many. */
static size_t encode_hello(uint8_t *buffer)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = WIRE_MAJOR;
        hello.label = (char *)(uintptr_t) "half of me";
        message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        message.hello = &hello;
        return (size_t)wire_encode_to_daemon(&message, buffer);
}

static size_t encode_request(uint8_t *buffer)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;
        struct raw_operation operation;
        Filemem__Operation *list[] = {&operation.operation};

        raw_allocate(&operation, BENCH_PAGE, 1);
        request.id = 7;
        request.operations = list;
        request.n_operations = 1;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        return (size_t)wire_encode_to_daemon(&message, buffer);
}

static void send_with_fds(struct raw *raw, const uint8_t *data, size_t size, size_t count)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), fds[FDS_MAX];

        ck_assert_int_ge(fd, 0);
        for (size_t i = 0; i < count; i++)
                fds[i] = fd;
        ck_assert_int_eq(raw_send_bytes(raw, data, size, fds, count), 0);
        close(fd);
}

static void request_with_a_fd(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        send_with_fds(raw, buffer, encode_request(buffer), 1);
}

static void request_with_253_fds(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        send_with_fds(raw, buffer, encode_request(buffer), FDS_MAX);
}

static void hello_with_a_fd(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        send_with_fds(raw, buffer, encode_hello(buffer), 1);
}

static void hello_with_253_fds(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        send_with_fds(raw, buffer, encode_hello(buffer), FDS_MAX);
}

static void garbage_with_a_fd(struct raw *raw)
{
        send_with_fds(raw, (const uint8_t *)"\xff\xff\xff", 3, 1);
}

static void too_large_with_a_fd(struct raw *raw)
{
        static uint8_t zeros[WIRE_MESSAGE_MAX + 1];

        send_with_fds(raw, zeros, sizeof(zeros), 1);
}

static void second_hello(struct raw *raw)
{
        raw_send_hello(raw, WIRE_MAJOR, "", "again");
}

static void request_without_hello(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        ck_assert_int_eq(raw_send_bytes(raw, buffer, encode_request(buffer), NULL, 0), 0);
}

static void send_bytes(struct raw *raw, const void *data, size_t size)
{
        ck_assert_int_eq(raw_send_bytes(raw, data, size, NULL, 0), 0);
}

static void a_byte_too_large(struct raw *raw)
{
        static uint8_t zeros[WIRE_MESSAGE_MAX + 1];

        send_bytes(raw, zeros, sizeof(zeros));
}

static void three_times_too_large(struct raw *raw)
{
        static uint8_t zeros[3 * WIRE_MESSAGE_MAX];

        send_bytes(raw, zeros, sizeof(zeros));
}

/* Exactly as large as may be, and nothing but zeros: no field has the number 0. */
static void zeros(struct raw *raw)
{
        static uint8_t zeros_[WIRE_MESSAGE_MAX];

        send_bytes(raw, zeros_, sizeof(zeros_));
}

static void ones(struct raw *raw)
{
        static uint8_t ones_[WIRE_MESSAGE_MAX];

        memset(ones_, 0xff, sizeof(ones_));
        send_bytes(raw, ones_, sizeof(ones_));
}

static void text(struct raw *raw)
{
        send_bytes(raw, "GET / HTTP/1.1\r\n\r\n", 18);
}

static void half_a_request(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        send_bytes(raw, buffer, encode_request(buffer) / 2);
}

static void half_a_hello(struct raw *raw)
{
        uint8_t buffer[WIRE_MESSAGE_MAX];

        send_bytes(raw, buffer, encode_hello(buffer) / 2);
}

/* An operation takes two bytes of a message and more than a hundred of memory. */
static void expensive_request(struct raw *raw)
{
        static uint8_t buffer[4 + WIRE_MESSAGE_MAX / 4 * 2];
        size_t size = sizeof(buffer) - 4;

        buffer[0] = 2 << 3 | 2; /* request */
        buffer[1] = (uint8_t)(size | 0x80);
        buffer[2] = (uint8_t)(size >> 7 | 0x80);
        buffer[3] = (uint8_t)(size >> 14);
        for (size_t i = 0; i < size; i += 2) {
                buffer[4 + i] = 2 << 3 | 2; /* operations */
                buffer[5 + i] = 0;
        }
        send_bytes(raw, buffer, sizeof(buffer));
}

static void empty_packet(struct raw *raw)
{
        send_bytes(raw, "", 0);
}

static void message_of_a_later_version(struct raw *raw)
{
        send_bytes(raw, "\x9a\x06\x00", 3); /* field 99, empty */
}

static void major_0(struct raw *raw)
{
        raw_send_hello(raw, 0, "", "");
}

static void major_2(struct raw *raw)
{
        raw_send_hello(raw, 2, "", "");
}

static void largest_major(struct raw *raw)
{
        raw_send_hello(raw, UINT32_MAX, "", "");
}

static void label_of_65_bytes(struct raw *raw)
{
        char label[66] = {0};

        memset(label, 'x', 65);
        raw_send_hello(raw, WIRE_MAJOR, "", label);
}

static void label_with_escape(struct raw *raw)
{
        raw_send_hello(raw, WIRE_MAJOR, "", "red \033[31m");
}

static void label_that_is_no_utf8(struct raw *raw)
{
        raw_send_hello(raw, WIRE_MAJOR, "", "\xc3\x28");
}

static void unknown_pool(struct raw *raw)
{
        raw_send_hello(raw, WIRE_MAJOR, "swimming", "");
}

static void largest_pool(struct raw *raw)
{
        static char name[60000];

        memset(name, 'p', sizeof(name) - 1);
        raw_send_hello(raw, WIRE_MAJOR, name, "");
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct protocol_row {
        const char *name;
        bool greeted; /* said Hello before */
        void (*send)(struct raw *raw);
        enum outcome expected;
} protocol_rows[] = {
        {"request with a descriptor", true, request_with_a_fd, OUTCOME_DESCRIPTOR_UNWANTED},
        {"request with 253 descriptors", true, request_with_253_fds, OUTCOME_DESCRIPTOR_UNWANTED},
        {"Hello with a descriptor", false, hello_with_a_fd, OUTCOME_DESCRIPTOR_UNWANTED},
        {"Hello with 253 descriptors", false, hello_with_253_fds, OUTCOME_DESCRIPTOR_UNWANTED},
        {"garbage with a descriptor", true, garbage_with_a_fd, OUTCOME_DESCRIPTOR_UNWANTED},
        {"too large, with a descriptor", true, too_large_with_a_fd, OUTCOME_DESCRIPTOR_UNWANTED},
        {"second Hello", true, second_hello, OUTCOME_HELLO_TWICE},
        {"no Hello", false, request_without_hello, OUTCOME_HELLO_MISSING},
        {"a byte too large", true, a_byte_too_large, OUTCOME_MESSAGE_TOO_LARGE},
        {"a byte too large, for a start", false, a_byte_too_large, OUTCOME_MESSAGE_TOO_LARGE},
        {"three times too large", true, three_times_too_large, OUTCOME_MESSAGE_TOO_LARGE},
        {"zeros", true, zeros, OUTCOME_MESSAGE_MALFORMED},
        {"ones", true, ones, OUTCOME_MESSAGE_MALFORMED},
        {"ones, for a start", false, ones, OUTCOME_MESSAGE_MALFORMED},
        {"text", false, text, OUTCOME_MESSAGE_MALFORMED},
        {"half a request", true, half_a_request, OUTCOME_MESSAGE_MALFORMED},
        {"half a Hello", false, half_a_hello, OUTCOME_MESSAGE_MALFORMED},
        {"expensive request", true, expensive_request, OUTCOME_MESSAGE_MALFORMED},
        {"empty packet", true, empty_packet, OUTCOME_MESSAGE_EMPTY},
        {"empty packet, for a start", false, empty_packet, OUTCOME_MESSAGE_EMPTY},
        {"message of a later version", true, message_of_a_later_version, OUTCOME_MESSAGE_EMPTY},
        {"major version 0", false, major_0, OUTCOME_VERSION},
        {"major version 2", false, major_2, OUTCOME_VERSION},
        {"largest major version", false, largest_major, OUTCOME_VERSION},
        {"label of 65 bytes", false, label_of_65_bytes, OUTCOME_LABEL_BAD},
        {"label with an escape", false, label_with_escape, OUTCOME_LABEL_BAD},
        {"label that is no UTF-8", false, label_that_is_no_utf8, OUTCOME_LABEL_BAD},
        {"unknown pool", false, unknown_pool, OUTCOME_POOL_UNKNOWN},
        {"largest name of a pool", false, largest_pool, OUTCOME_POOL_UNKNOWN},
};

static void check_goodbye(struct raw *raw, const struct protocol_row *row)
{
        const Filemem__Goodbye *goodbye = raw_receive_goodbye(raw);
        bool version = row->expected == OUTCOME_VERSION;

        ck_assert_msg((int)goodbye->status == error_status((int)row->expected) &&
                              !strcmp(goodbye->text, error_text((int)row->expected)),
                "%s: '%s' should be '%s'", row->name, goodbye->text,
                error_text((int)row->expected));
        ck_assert_uint_eq(goodbye->supported_major_min, version);
        ck_assert_uint_eq(goodbye->supported_major_max, version);
        raw_receive_end(raw);
}

/* The session of its own that breaks the protocol takes what it holds along, and nothing else. */
START_TEST(broken_protocol_ends_the_session_with_its_reason)
{
        const struct protocol_row *row = &protocol_rows[_i];
        struct bench bench;
        struct raw raw;
        size_t fds;

        bench_start(&bench);
        fds = daemon_count_fds(&bench.daemon);
        raw_connect(&raw, bench.daemon.socket);
        if (row->greeted) {
                raw_hello(&raw, "broken");
                raw_get(&raw, 4 * BENCH_PAGE, 3);
        }
        row->send(&raw);
        check_goodbye(&raw, row);
        raw_close(&raw);
        bench_check_unchanged(&bench, row->name);
        ck_assert_uint_eq(bench_status(&bench)->protocol_errors, 1);
        ck_assert_uint_eq(bench_status(&bench)->sessions, 2);
        daemon_await_fds(&bench.daemon, fds);
        bench_stop(&bench);
}
END_TEST

/* What waits unread behind the wrong message must not keep the reason from the client. */
START_TEST(reason_arrives_although_more_was_sent)
{
        struct raw_operation operation;
        struct bench bench;
        struct raw raw;

        bench_start(&bench);
        for (int round = 0; round < 50; round++) {
                int r = 0;

                raw_open(&raw, bench.daemon.socket, "talkative");
                second_hello(&raw);
                raw_ping(&operation);
                for (int i = 0; i < 20 && r == 0; i++)
                        r = raw_try_request(&raw, &operation, 1);
                ck_assert(r == 0 || r == -EPIPE);
                ck_assert_str_eq(raw_receive_goodbye(&raw)->text, error_text(OUTCOME_HELLO_TWICE));
                raw_receive_end(&raw);
                raw_close(&raw);
        }
        bench_check_unchanged(&bench, "talkative");
        bench_stop(&bench);
}
END_TEST

START_TEST(replies_to_what_was_right_come_before_the_reason)
{
        struct raw_operation operation;
        struct bench bench;
        struct raw raw;
        uint64_t first;

        bench_start(&bench);
        raw_open(&raw, bench.daemon.socket, "at first");
        raw_ping(&operation);
        first = raw_request(&raw, &operation, 1);
        text(&raw);
        raw_receive_reply(&raw, first);
        ck_assert_str_eq(raw_receive_goodbye(&raw)->text, error_text(OUTCOME_MESSAGE_MALFORMED));
        raw_close(&raw);
        bench_check_unchanged(&bench, "at first");
        bench_stop(&bench);
}
END_TEST

START_TEST(largest_right_label_and_the_pools_name_are_taken)
{
        char label[65] = {0};
        struct bench bench;
        struct raw raw;

        bench_start(&bench);
        memset(label, 'x', 64);
        raw_connect(&raw, bench.daemon.socket);
        raw_send_hello(&raw, WIRE_MAJOR, "default", label);
        ck_assert_int_eq(raw_receive(&raw)->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        raw_close(&raw);
        bench_check_unchanged(&bench, "largest label");
        bench_stop(&bench);
}
END_TEST

void add_protocol_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "protocol", 60);

        tcase_add_loop_test(tests, broken_protocol_ends_the_session_with_its_reason, 0,
                (int)(sizeof(protocol_rows) / sizeof(protocol_rows[0])));
        tcase_add_test(tests, reason_arrives_although_more_was_sent);
        tcase_add_test(tests, replies_to_what_was_right_come_before_the_reason);
        tcase_add_test(tests, largest_right_label_and_the_pools_name_are_taken);
}
