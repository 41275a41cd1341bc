// SPDX-License-Identifier: Apache-2.0
/* What is decoded and encoded by hand is what protobuf-c makes of it, or is left to protobuf-c. */
#include "proto/frequent.h"

#include "proto/wire.h"
#include "support/harness.h"

#include <string.h>

static struct arena ours, theirs;
static uint8_t packet[WIRE_MESSAGE_MAX], first[WIRE_MESSAGE_MAX], second[WIRE_MESSAGE_MAX];

static void start(void)
{
        ck_assert_int_eq(arena_init(&ours, WIRE_ARENA_SIZE), 0);
        ck_assert_int_eq(arena_init(&theirs, WIRE_ARENA_SIZE), 0);
}

static void stop(void)
{
        arena_deinit(&ours);
        arena_deinit(&theirs);
}

/* xorshift: the same numbers in every run. */
static uint64_t seed = 88172645463325252;

static uint64_t random_number(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed;
}

static protobuf_c_boolean random_flag(void)
{
        return random_number() % 2 ? 1 : 0;
}

/* Of any length. */
static uint64_t random_value(void)
{
        return random_number() >> random_number() % 64;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

#define MANY 300

static size_t pack(const ProtobufCMessage *message)
{
        size_t size = protobuf_c_message_get_packed_size(message);

        ck_assert_uint_le(size, sizeof(packet));
        return protobuf_c_message_pack(message, packet);
}

static struct {
        Filemem__Operation operations[MANY], *pointers[MANY];
        union {
                Filemem__Range range;
                Filemem__Allocate allocate;
                Filemem__Ping ping;
        } bodies[MANY];
} requested;

static void make_operation(size_t i, Filemem__Operation__BodyCase body)
{
        Filemem__Operation *operation = &requested.operations[i];

        filemem__operation__init(operation);
        requested.pointers[i] = operation;
        operation->no_reply = random_flag();
        operation->body_case = body;
        operation->ping = &requested.bodies[i].ping;
        if (body == FILEMEM__OPERATION__BODY_ALLOCATE) {
                filemem__allocate__init(&requested.bodies[i].allocate);
                requested.bodies[i].allocate.length = random_value();
                requested.bodies[i].allocate.kind = (Filemem__Kind)(random_number() % 8);
        } else if (body == FILEMEM__OPERATION__BODY_PING) {
                filemem__ping__init(&requested.bodies[i].ping);
        } else {
                filemem__range__init(&requested.bodies[i].range);
                requested.bodies[i].range.start = random_value();
                requested.bodies[i].range.end = random_value();
        }
}

/* Into the packet. Returns its size. */
static size_t make_request(size_t count)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;

        for (size_t i = 0; i < count; i++)
                make_operation(i, FILEMEM__OPERATION__BODY_ALLOCATE + random_number() % 3);
        request.id = random_value();
        request.acknowledge = random_flag();
        request.n_operations = count;
        request.operations = requested.pointers;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        return pack(&message.base);
}

static struct {
        Filemem__ToClient message;
        Filemem__Reply reply;
        Filemem__Result results[MANY], *pointers[MANY];
        Filemem__Allocated allocated[MANY];
} replied;

static size_t make_reply(size_t count)
{
        filemem__to_client__init(&replied.message);
        filemem__reply__init(&replied.reply);
        for (size_t i = 0; i < count; i++) {
                Filemem__Result *result = replied.pointers[i] = &replied.results[i];
                Filemem__Allocated *allocated = &replied.allocated[i];

                filemem__result__init(result);
                filemem__allocated__init(allocated);
                allocated->start = random_value();
                allocated->end = random_value();
                allocated->size = random_value();
                allocated->committed = random_flag();
                if (random_number() % 4 == 0)
                        continue;
                result->body_case = FILEMEM__RESULT__BODY_ALLOCATED;
                result->allocated = allocated;
        }
        replied.reply.id = random_value();
        replied.reply.n_results = count;
        replied.reply.results = replied.pointers;
        replied.message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        replied.message.reply = &replied.reply;
        return pack(&replied.message.base);
}

/* ---- both ways of decoding --------------------------------------------------------------------
 */

/* Whether it is decoded by hand; then protobuf-c makes the same of it. */
static bool decode(const void *data, size_t size, bool is_request)
{
        const ProtobufCMessageDescriptor *descriptor =
                is_request ? &filemem__to_daemon__descriptor : &filemem__to_client__descriptor;
        Filemem__ToDaemon *request = NULL;
        Filemem__ToClient *reply = NULL;
        ProtobufCMessage *message;
        bool done;

        arena_reset(&ours);
        arena_reset(&theirs);
        done = is_request ? frequent_decode_request(&ours, data, size, &request)
                          : frequent_decode_reply(&ours, data, size, &reply);
        if (!done) {
                ck_assert_uint_eq(ours.used, 0);
                return false;
        }
        message = protobuf_c_message_unpack(descriptor, &theirs.allocator, size, data);
        ck_assert_ptr_nonnull(message);
        size = protobuf_c_message_pack(message, first);
        message = is_request ? &request->base : &reply->base;
        ck_assert(protobuf_c_message_check(message));
        ck_assert_uint_eq(protobuf_c_message_pack(message, second), size);
        ck_assert_mem_eq(first, second, size);
        return true;
}

START_TEST(what_is_frequent_is_decoded_as_by_protobuf_c)
{
        for (size_t count = 1; count <= FREQUENT_MAX; count += count < 20 ? 1 : 59) {
                ck_assert(decode(packet, make_request(count), true));
                ck_assert(decode(packet, make_reply(count), false));
        }
}
END_TEST

START_TEST(all_else_is_left_alone)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Hello hello = FILEMEM__HELLO__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;

        /* More than there may be, and none. */
        ck_assert(!decode(packet, make_request(FREQUENT_MAX + 1), true));
        ck_assert(!decode(packet, make_request(0), true));
        ck_assert(!decode(packet, make_reply(FREQUENT_MAX + 1), false));
        ck_assert(!decode(packet, make_reply(0), false));
        ck_assert(!decode(packet, 0, true));

        message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        message.hello = &hello;
        ck_assert(!decode(packet, pack(&message.base), true));
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        request.n_operations = 2;
        request.operations = requested.pointers;
        make_operation(0, FILEMEM__OPERATION__BODY_INCREF);
        make_operation(1, FILEMEM__OPERATION__BODY_PING);
        ck_assert(!decode(packet, pack(&message.base), true));
        make_operation(1, FILEMEM__OPERATION__BODY_ALLOCATE);
        ck_assert(decode(packet, pack(&message.base), true));
        requested.bodies[1].allocate.mode = FILEMEM__MODE__MODE_COMMIT;
        ck_assert(!decode(packet, pack(&message.base), true));

        make_reply(3);
        replied.results[1].status = FILEMEM__STATUS__STATUS_ENOENT;
        ck_assert(!decode(packet, pack(&replied.message.base), false));
        ck_assert_uint_eq(frequent_encode_reply(&replied.message, second), 0);
        make_reply(3);
        replied.reply.text = (char *)(uintptr_t) "no";
        ck_assert(!decode(packet, pack(&replied.message.base), false));
        ck_assert_uint_eq(frequent_encode_reply(&replied.message, second), 0);
}
END_TEST

START_TEST(whatever_the_bytes_are_it_is_not_understood_otherwise)
{
        unsigned rounds = 200000 / harness_slowness(), understood = 0;

        for (unsigned i = 0; i < rounds; i++) {
                bool is_request = random_number() % 2;
                size_t count = 1 + random_number() % 3;
                size_t size = is_request ? make_request(count) : make_reply(count);

                for (uint64_t changes = random_number() % 3; changes > 0; changes--)
                        packet[random_number() % size] ^= (uint8_t)(1 << random_number() % 8);
                if (random_number() % 8 == 0)
                        size = random_number() % size;
                understood += decode(packet, size, is_request);
        }
        /* A third was not changed, and of the others many are other numbers. */
        ck_assert_uint_gt(understood, rounds / 4);
        ck_assert_uint_lt(understood, rounds);
}
END_TEST

START_TEST(what_is_longer_than_needed_is_the_same_number)
{
        /* A Request of id 5, in two bytes, with an incref of 0 to 1, of which 0 is said. */
        static const uint8_t longer[] = {
                0x12, 0x0b, 0x08, 0x85, 0x00, 0x12, 0x06, 0x22, 0x04, 0x08, 0x00, 0x10, 0x01};
        static const uint8_t too_long[] = {0x12, 0x11, 0x08, 0x85, 0x80, 0x80, 0x80, 0x80, 0x80,
                0x80, 0x80, 0x80, 0x02, 0x12, 0x04, 0x22, 0x02, 0x10, 0x01};

        ck_assert(decode(longer, sizeof(longer), true));
        ck_assert(!decode(too_long, sizeof(too_long), true));
}
END_TEST

START_TEST(without_room_nothing_is_taken)
{
        size_t requested_size = make_request(9), needed;
        Filemem__ToDaemon *message;
        unsigned char *block;

        ck_assert(decode(packet, requested_size, true));
        needed = ours.used;
        for (size_t room = 0; room <= needed; room++) {
                struct arena small;

                ck_assert_int_eq(arena_init(&small, room ? room : 1), 0);
                block = arena_alloc(&small, 0);
                ck_assert(frequent_decode_request(&small, packet, requested_size, &message) ==
                          (room == needed));
                ck_assert_uint_le(small.used, room);
                ck_assert_ptr_eq(block, small.block);
                arena_deinit(&small);
        }
}
END_TEST

START_TEST(a_reply_is_encoded_as_by_protobuf_c)
{
        for (unsigned i = 0; i < 2000; i++) {
                size_t size = make_reply(i < 1000 ? i % 20 : random_number() % FREQUENT_MAX);

                ck_assert_uint_eq(frequent_encode_reply(&replied.message, second), size);
                ck_assert_mem_eq(packet, second, size);
        }
        /* All numbers are as long as can be. */
        make_reply(FREQUENT_MAX);
        replied.reply.id = UINT64_MAX;
        for (size_t i = 0; i < FREQUENT_MAX; i++) {
                replied.results[i].body_case = FILEMEM__RESULT__BODY_ALLOCATED;
                replied.results[i].allocated = &replied.allocated[i];
                replied.allocated[i].start = replied.allocated[i].end = UINT64_MAX;
                replied.allocated[i].size = UINT64_MAX;
                replied.allocated[i].committed = true;
        }
        ck_assert_uint_eq(
                frequent_encode_reply(&replied.message, second), pack(&replied.message.base));
        ck_assert_mem_eq(packet, second, pack(&replied.message.base));
}
END_TEST

/* Fields of a message that are not in a choice: those that are written whatever the body is. */
static unsigned count_fixed(const ProtobufCMessageDescriptor *descriptor)
{
        unsigned count = 0;

        for (unsigned i = 0; i < descriptor->n_fields; i++)
                count += !(descriptor->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
        return count;
}

/* Who adds a field to what is encoded by hand has to add it there, too. */
START_TEST(every_field_of_a_reply_is_known_here)
{
        ck_assert_uint_eq(count_fixed(&filemem__to_client__descriptor), 0);
        ck_assert_uint_eq(count_fixed(&filemem__reply__descriptor), 4);
        ck_assert_uint_eq(count_fixed(&filemem__result__descriptor), 2);
        ck_assert_uint_eq(count_fixed(&filemem__allocated__descriptor), 4);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("frequent");
        TCase *tests = harness_case(suite, "frequent", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, what_is_frequent_is_decoded_as_by_protobuf_c);
        tcase_add_test(tests, all_else_is_left_alone);
        tcase_add_test(tests, whatever_the_bytes_are_it_is_not_understood_otherwise);
        tcase_add_test(tests, what_is_longer_than_needed_is_the_same_number);
        tcase_add_test(tests, without_room_nothing_is_taken);
        tcase_add_test(tests, a_reply_is_encoded_as_by_protobuf_c);
        tcase_add_test(tests, every_field_of_a_reply_is_known_here);
        return harness_run(suite);
}
