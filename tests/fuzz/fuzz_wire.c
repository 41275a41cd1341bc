// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a packet, in both directions. Whatever they are:
 *
 *      nothing is allocated but from the arena, and nothing is written outside of it
 *      what decodes encodes again, or is refused because it would be too long
 *      what is decoded by hand is what protobuf-c makes of it, and encodes to the same bytes
 *      without the unknown fields, what was encoded decodes, and encodes to the same bytes
 *
 * protobuf-c is a shared library and not instrumented. So that the fuzzer sees where it gets to,
 * decoded messages are walked here, and what is in them is counted where libFuzzer looks.
 *
 * protobuf-c takes an unknown field of number 0, with a tag that is longer than needed, and keeps
 * it; encoded again it is refused, and rightly. So the last promise leaves unknown fields out.
 */
#include "fuzz/fuzz.h"

#include "base/check.h"
#include "fuzz/allocations.h"
#include "proto/wire.h"

#include <errno.h>
#include <string.h>

#define CANARY      0xa5
#define CANARY_SIZE 64u
#define COUNTERS    8192u

/* libFuzzer takes a changed byte in this section for new coverage. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

struct direction {
        const ProtobufCMessageDescriptor *descriptor;
        int (*decode)(struct arena *arena, const void *data, size_t size, ProtobufCMessage **ret);
        ssize_t (*encode)(const ProtobufCMessage *message, uint8_t *buffer);
};

/* A buffer for one message with a canary behind it. */
struct buffer {
        uint8_t bytes[WIRE_MESSAGE_MAX];
        uint8_t canary[CANARY_SIZE];
};

static int decode_to_daemon(
        struct arena *arena, const void *data, size_t size, ProtobufCMessage **ret)
{
        Filemem__ToDaemon *message = NULL;
        int r = wire_decode_to_daemon(arena, data, size, &message);

        if (r == 0)
                *ret = &message->base;
        return r;
}

static int decode_to_client(
        struct arena *arena, const void *data, size_t size, ProtobufCMessage **ret)
{
        Filemem__ToClient *message = NULL;
        int r = wire_decode_to_client(arena, data, size, &message);

        if (r == 0)
                *ret = &message->base;
        return r;
}

static ssize_t encode_to_daemon(const ProtobufCMessage *message, uint8_t *buffer)
{
        return wire_encode_to_daemon((const Filemem__ToDaemon *)message, buffer);
}

static ssize_t encode_to_client(const ProtobufCMessage *message, uint8_t *buffer)
{
        return wire_encode_to_client((const Filemem__ToClient *)message, buffer);
}

static const struct direction directions[] = {
        {&filemem__to_daemon__descriptor, decode_to_daemon, encode_to_daemon},
        {&filemem__to_client__descriptor, decode_to_client, encode_to_client},
};

/* ---- what the fuzzer sees ---------------------------------------------------------------------
 */

/* place: a descriptor; its distance from another one is the same in every run. */
static void note(const void *place, unsigned id, uint64_t amount)
{
        uintptr_t distance = (uintptr_t)place - (uintptr_t)&filemem__to_daemon__descriptor;
        unsigned magnitude = amount ? 64 - (unsigned)__builtin_clzll(amount) : 0;

        counters[((distance / sizeof(void *) * 8 + id) * 67 + magnitude) % COUNTERS]++;
}

static void walk(ProtobufCMessage *message);

static void walk_value(const ProtobufCFieldDescriptor *field, const void *value)
{
        ProtobufCMessage *message;
        const char *text;
        uint64_t number = 0;

        switch (field->type) {
        case PROTOBUF_C_TYPE_MESSAGE:
                memcpy(&message, value, sizeof(void *));
                if (message)
                        walk(message);
                return;
        case PROTOBUF_C_TYPE_STRING:
                memcpy(&text, value, sizeof(text));
                note(field, 1, text ? strlen(text) : 0);
                return;
        case PROTOBUF_C_TYPE_UINT64:
                memcpy(&number, value, sizeof(uint64_t));
                break;
        default: /* uint32, int32, bool, enum */
                memcpy(&number, value, sizeof(uint32_t));
        }
        note(field, 2, number);
}

/* Reads all that is there, to the end of each string and list, and forgets unknown fields. */
static void walk(ProtobufCMessage *message)
{
        const ProtobufCMessageDescriptor *descriptor = message->descriptor;
        const unsigned char *base = (const unsigned char *)message;

        note(descriptor, 3, message->n_unknown_fields);
        message->n_unknown_fields = 0;
        for (unsigned i = 0; i < descriptor->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
                const unsigned char *list;
                uint32_t which;
                size_t count;

                if (field->label == PROTOBUF_C_LABEL_REPEATED) {
                        memcpy(&count, base + field->quantifier_offset, sizeof(count));
                        memcpy(&list, base + field->offset, sizeof(list));
                        note(field, 4, count);
                        for (size_t at = 0; at < count; at++)
                                walk_value(field, list + at * sizeof(void *));
                        continue;
                }
                if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
                        memcpy(&which, base + field->quantifier_offset, sizeof(which));
                        if (which != field->id)
                                continue;
                }
                walk_value(field, base + field->offset);
        }
}

/* For what protobuf-c makes of the same bytes. */
static struct arena reference;

/* ---- the promises ---------------------------------------------------------------------------- */

/* Into a whole arena, without allocating. Returns what decoding says. */
static int decode(const struct direction *direction, struct arena *arena, const uint8_t *data,
        size_t size, ProtobufCMessage **ret)
{
        size_t before;
        int r;

        arena_reset(arena);
        before = allocations_count();
        r = direction->decode(arena, data, size, ret);
        check(allocations_count() == before);
        check(arena->used <= arena->size);
        check(r == 0 || r == -EBADMSG || r == -EMSGSIZE);
        check((r == -EMSGSIZE) == (size > WIRE_MESSAGE_MAX));
        return r;
}

static ssize_t encode(
        const struct direction *direction, const ProtobufCMessage *message, struct buffer *buffer)
{
        size_t before = allocations_count();
        ssize_t size = direction->encode(message, buffer->bytes);

        check(allocations_count() == before);
        check(size == -EMSGSIZE || (size >= 0 && size <= WIRE_MESSAGE_MAX));
        for (size_t i = 0; i < CANARY_SIZE; i++)
                check(buffer->canary[i] == CANARY);
        return size;
}

/* Some of it is decoded and encoded by hand, and protobuf-c finds the same there. */
static void compare(const struct direction *direction, const ProtobufCMessage *message,
        const struct buffer *encoded, ssize_t encoded_size, const uint8_t *data, size_t size)
{
        static uint8_t ours[WIRE_MESSAGE_MAX], theirs[WIRE_MESSAGE_MAX];
        ProtobufCMessage *same;
        size_t length = protobuf_c_message_get_packed_size(message);

        if (encoded_size < 0)
                return;
        arena_reset(&reference);
        same = protobuf_c_message_unpack(direction->descriptor, &reference.allocator, size, data);
        check(same && (size_t)encoded_size == length);
        check(protobuf_c_message_get_packed_size(same) == length);
        protobuf_c_message_pack(message, ours);
        protobuf_c_message_pack(same, theirs);
        check(memcmp(ours, theirs, length) == 0);
        check(memcmp(ours, encoded->bytes, length) == 0);
}

static void try_direction(
        const struct direction *direction, struct arena *arena, const uint8_t *data, size_t size)
{
        static struct buffer first, second;
        ProtobufCMessage *message;
        ssize_t encoded;

        if (decode(direction, arena, data, size, &message) != 0)
                return;
        check(message->descriptor == direction->descriptor);
        note(direction, 5, arena->used);
        memset(first.canary, CANARY, CANARY_SIZE);
        memset(second.canary, CANARY, CANARY_SIZE);
        encoded = encode(direction, message, &first);
        compare(direction, message, &first, encoded, data, size);
        walk(message);
        encoded = encode(direction, message, &first);
        if (encoded < 0)
                return;
        check(decode(direction, arena, first.bytes, (size_t)encoded, &message) == 0);
        check(encode(direction, message, &second) == encoded);
        check(memcmp(first.bytes, second.bytes, (size_t)encoded) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct arena arena;

        if (!arena.block) {
                check(arena_init(&arena, WIRE_ARENA_SIZE) == 0);
                check(arena_init(&reference, WIRE_ARENA_SIZE) == 0);
        }
        allocations_watch();
        for (unsigned i = 0; i < sizeof(directions) / sizeof(directions[0]); i++)
                try_direction(&directions[i], &arena, data, size);
        return 0;
}
