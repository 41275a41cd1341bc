// SPDX-License-Identifier: Apache-2.0
#include "test_wire.h"

#include "proto/wire.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>

#define OPERATIONS 300

static uint8_t packet[WIRE_MESSAGE_MAX + 1];
static struct arena arena;

static void make_arena(void)
{
        ck_assert_int_eq(arena_init(&arena, WIRE_ARENA_SIZE), 0);
}

static void drop_arena(void)
{
        arena_deinit(&arena);
}

/* Encodes a request of `count` operations as large as they get. Returns its size. */
static size_t encode_request(size_t count)
{
        static Filemem__Operation operations[OPERATIONS];
        static Filemem__Operation *pointers[OPERATIONS];
        Filemem__Decommit decommit = FILEMEM__DECOMMIT__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        ssize_t size;

        decommit.start = UINT64_MAX;
        decommit.end = UINT64_MAX;
        decommit.shared = true;
        for (size_t i = 0; i < count; i++) {
                filemem__operation__init(&operations[i]);
                operations[i].no_reply = true;
                operations[i].body_case = FILEMEM__OPERATION__BODY_DECOMMIT;
                operations[i].decommit = &decommit;
                pointers[i] = &operations[i];
        }
        request.id = UINT64_MAX;
        request.n_operations = count;
        request.operations = pointers;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        size = wire_encode_to_daemon(&message, packet);
        ck_assert_int_gt(size, 0);
        return (size_t)size;
}

START_TEST(a_full_request_decodes_within_the_arena)
{
        /* One more than allowed decodes too: it is refused with a status of its own. */
        size_t count = _i ? WIRE_OPERATIONS_MAX + 1 : WIRE_OPERATIONS_MAX;
        size_t size = encode_request(count);
        Filemem__ToDaemon *message;

        ck_assert_int_eq(wire_decode_to_daemon(&arena, packet, size, &message), 0);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_DAEMON__BODY_REQUEST);
        ck_assert_uint_eq(message->request->id, UINT64_MAX);
        ck_assert_uint_eq(message->request->n_operations, count);
        ck_assert_uint_eq(message->request->operations[count - 1]->decommit->end, UINT64_MAX);
        ck_assert_uint_le(arena.used, WIRE_ARENA_SIZE / 4);
}
END_TEST

START_TEST(decoding_takes_from_the_arena_alone)
{
        size_t size = encode_request(WIRE_OPERATIONS_MAX);
        struct mallinfo2 before, after;
        Filemem__ToDaemon *message;

        before = mallinfo2();
        ck_assert_int_eq(wire_decode_to_daemon(&arena, packet, size, &message), 0);
        after = mallinfo2();
        ck_assert_uint_eq(after.uordblks, before.uordblks);
        ck_assert_uint_eq(after.hblkhd, before.hblkhd);
        ck_assert((unsigned char *)message >= arena.block);
        ck_assert((unsigned char *)message < arena.block + arena.size);
}
END_TEST

/* A request of as many empty operations as fit: two bytes each, and 72 decoded. */
static size_t make_bomb(void)
{
        size_t length = WIRE_MESSAGE_MAX - 4, at = 0;

        packet[at++] = 2 << 3 | 2; /* ToDaemon.request */
        packet[at++] = (uint8_t)(length | 0x80);
        packet[at++] = (uint8_t)(length >> 7 | 0x80);
        packet[at++] = (uint8_t)(length >> 14);
        while (at < WIRE_MESSAGE_MAX) {
                packet[at++] = 2 << 3 | 2; /* Request.operations */
                packet[at++] = 0;
        }
        return at;
}

START_TEST(a_message_made_to_be_expensive_is_refused_without_malloc)
{
        size_t size = make_bomb();
        struct mallinfo2 before, after;
        Filemem__ToDaemon *message = NULL;

        before = mallinfo2();
        ck_assert_int_eq(wire_decode_to_daemon(&arena, packet, size, &message), -EBADMSG);
        after = mallinfo2();
        ck_assert_uint_eq(after.uordblks, before.uordblks);
        ck_assert_uint_eq(after.hblkhd, before.hblkhd);
        ck_assert_ptr_null(message);

        /* The arena serves the next message as if nothing had been. */
        arena_reset(&arena);
        size = encode_request(1);
        ck_assert_int_eq(wire_decode_to_daemon(&arena, packet, size, &message), 0);
}
END_TEST

START_TEST(an_expensive_message_would_decode_with_more_memory)
{
        /* So that the test before is about memory and not about a mistake in the message. */
        size_t size = make_bomb();
        Filemem__ToDaemon *message;
        struct arena large;

        ck_assert_int_eq(arena_init(&large, 8 << 20), 0);
        ck_assert_int_eq(wire_decode_to_daemon(&large, packet, size, &message), 0);
        ck_assert_uint_eq(message->request->n_operations, (WIRE_MESSAGE_MAX - 4) / 2);
        ck_assert_uint_le(large.used, 5 << 20);
        arena_deinit(&large);
}
END_TEST

START_TEST(every_shortage_of_memory_is_a_clean_refusal)
{
        size_t size = encode_request(64), needed;
        Filemem__ToDaemon *message;

        ck_assert_int_eq(wire_decode_to_daemon(&arena, packet, size, &message), 0);
        needed = arena.used;
        for (size_t room = 0; room < needed; room += 8) {
                struct arena small;

                ck_assert_int_eq(arena_init(&small, room ? room : 1), 0);
                message = NULL;
                ck_assert_int_eq(wire_decode_to_daemon(&small, packet, size, &message), -EBADMSG);
                ck_assert_ptr_null(message);
                arena_deinit(&small);
        }
}
END_TEST

START_TEST(a_message_cut_anywhere_decodes_or_is_refused)
{
        size_t size = encode_request(3);

        for (size_t length = 0; length < size; length++) {
                Filemem__ToDaemon *message;
                int r;

                arena_reset(&arena);
                r = wire_decode_to_daemon(&arena, packet, length, &message);
                /* Nothing at all is a message without a body; all else lacks bytes that it
                 * announced. */
                ck_assert_int_eq(r, length ? -EBADMSG : 0);
        }
}
END_TEST

START_TEST(random_bytes_never_do_harm)
{
        uint32_t random = 12345;

        for (unsigned round = 0; round < 20000 / harness_slowness(); round++) {
                size_t size = encode_request(2);
                union {
                        Filemem__ToDaemon *to_daemon;
                        Filemem__ToClient *to_client;
                } message;

                for (unsigned i = 0; i < 1 + round % 8; i++) {
                        random = random * 1664525 + 1013904223;
                        packet[random / 65536 % size] = (uint8_t)(random >> 8);
                }
                arena_reset(&arena);
                (void)!wire_decode_to_daemon(&arena, packet, size, &message.to_daemon);
                arena_reset(&arena);
                (void)!wire_decode_to_client(&arena, packet, size, &message.to_client);
                ck_assert_uint_le(arena.used, WIRE_ARENA_SIZE);
        }
}
END_TEST

START_TEST(a_message_that_is_too_long_is_not_looked_at)
{
        Filemem__ToDaemon *to_daemon = NULL;
        Filemem__ToClient *to_client = NULL;

        ck_assert_int_eq(
                wire_decode_to_daemon(&arena, packet, WIRE_MESSAGE_MAX + 1, &to_daemon), -EMSGSIZE);
        ck_assert_int_eq(
                wire_decode_to_client(&arena, packet, WIRE_MESSAGE_MAX + 1, &to_client), -EMSGSIZE);
        ck_assert_uint_eq(arena.used, 0);
}
END_TEST

START_TEST(unknown_fields_are_ignored)
{
        /* Field 99 with a varint, then a Request with an id and an operation with field 77. */
        static const uint8_t bytes[] = {
                0x98, 0x06, 0x01, 0x12, 0x09, 0x08, 0x07, 0x12, 0x05, 0xea, 0x04, 0x02, 'h', 'i'};
        Filemem__ToDaemon *message;

        ck_assert_int_eq(wire_decode_to_daemon(&arena, bytes, sizeof(bytes), &message), 0);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_DAEMON__BODY_REQUEST);
        ck_assert_uint_eq(message->request->id, 7);
        ck_assert_uint_eq(message->request->n_operations, 1);
        ck_assert_int_eq(
                message->request->operations[0]->body_case, FILEMEM__OPERATION__BODY__NOT_SET);
}
END_TEST

START_TEST(a_message_that_would_be_too_long_is_not_encoded)
{
        static char text[WIRE_MESSAGE_MAX];
        Filemem__Goodbye goodbye = FILEMEM__GOODBYE__INIT;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;

        memset(text, 'a', sizeof(text) - 1);
        goodbye.text = text;
        message.body_case = FILEMEM__TO_CLIENT__BODY_GOODBYE;
        message.goodbye = &goodbye;
        packet[0] = 0x5a;
        ck_assert_int_eq(wire_encode_to_client(&message, packet), -EMSGSIZE);
        ck_assert_uint_eq(packet[0], 0x5a);

        /* The longest that fits: two lengths of 3 bytes and two tags. */
        text[WIRE_MESSAGE_MAX - 8] = '\0';
        ck_assert_int_eq(wire_encode_to_client(&message, packet), WIRE_MESSAGE_MAX);
        text[WIRE_MESSAGE_MAX - 8] = 'a';
        text[WIRE_MESSAGE_MAX - 7] = '\0';
        ck_assert_int_eq(wire_encode_to_client(&message, packet), -EMSGSIZE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("wire");
        TCase *tests = harness_case(suite, "wire", 20);

        tcase_add_checked_fixture(tests, make_arena, drop_arena);
        tcase_add_loop_test(tests, a_full_request_decodes_within_the_arena, 0, 2);
        tcase_add_test(tests, decoding_takes_from_the_arena_alone);
        tcase_add_test(tests, a_message_made_to_be_expensive_is_refused_without_malloc);
        tcase_add_test(tests, an_expensive_message_would_decode_with_more_memory);
        tcase_add_test(tests, every_shortage_of_memory_is_a_clean_refusal);
        tcase_add_test(tests, a_message_cut_anywhere_decodes_or_is_refused);
        tcase_add_test(tests, random_bytes_never_do_harm);
        tcase_add_test(tests, a_message_that_is_too_long_is_not_looked_at);
        tcase_add_test(tests, unknown_fields_are_ignored);
        tcase_add_test(tests, a_message_that_would_be_too_long_is_not_encoded);
        test_wire_bounds(harness_case(suite, "bounds", 20));
        return harness_run(suite);
}
