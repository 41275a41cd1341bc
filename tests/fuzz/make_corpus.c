// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the seeds of the corpora: make_corpus FOLDER writes FOLDER/TARGET/seed-*, the same bytes
 * each time. Run it when the model draws differently or the protocol has new messages; findings in
 * the corpora are files with other names and stay.
 */
#include "proto/wire.h"

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[4096];

static void write_seed(const char *name, const void *data, size_t size)
{
        char path[sizeof(folder) + 64];
        FILE *file;

        snprintf(path, sizeof(path), "%s/seed-%s", folder, name);
        file = fopen(path, "we");
        if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
                err(EXIT_FAILURE, "%s", path);
}

/* ---- usage tree: random bytes ------------------------------------------------------------------
 */

static void make_usage_tree(void)
{
        static const uint8_t sizes[][2] = {{0, 0}, {1, 1}, {3, 1}, {12, 4}, {55, 36}};
        uint64_t random = 88172645463325252u;
        uint8_t bytes[600];
        char name[32];

        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                for (size_t at = 0; at < sizeof(bytes); at++) {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        bytes[at] = (uint8_t)(random >> 24);
                }
                memcpy(bytes, sizes[i], sizeof(sizes[i]));
                snprintf(name, sizeof(name), "nodes-%u-%u", 4u + sizes[i][0], 4u + sizes[i][1]);
                write_seed(name, bytes, sizeof(bytes));
        }
}

/* ---- wire: one message of each type, with all its fields ---------------------------------------
 */

struct packet {
        uint8_t bytes[WIRE_MESSAGE_MAX / 16];
        size_t size;
};

static void put_varint(struct packet *packet, uint64_t value)
{
        for (; value > 0x7f; value >>= 7)
                packet->bytes[packet->size++] = (uint8_t)(value | 0x80);
        packet->bytes[packet->size++] = (uint8_t)value;
}

static void put_bytes(struct packet *packet, uint32_t id, const void *data, size_t size)
{
        put_varint(packet, id << 3 | 2);
        put_varint(packet, size);
        if (size + 16 > sizeof(packet->bytes) - packet->size)
                errx(EXIT_FAILURE, "a seed is too large");
        memcpy(packet->bytes + packet->size, data, size);
        packet->size += size;
}

static bool in_oneof(const ProtobufCFieldDescriptor *field)
{
        return field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

static void put_field(struct packet *packet, const ProtobufCFieldDescriptor *field);

/* From the descriptor, so that a new field is in it at once. Of a oneof only `chosen` is put. */
static void put_message(struct packet *packet, uint32_t id,
        const ProtobufCMessageDescriptor *descriptor, const ProtobufCFieldDescriptor *chosen)
{
        struct packet inside = {.size = 0};

        for (unsigned i = 0; i < descriptor->n_fields; i++)
                if (!in_oneof(&descriptor->fields[i]) || &descriptor->fields[i] == chosen)
                        put_field(&inside, &descriptor->fields[i]);
        put_bytes(packet, id, inside.bytes, inside.size);
}

static void put_field(struct packet *packet, const ProtobufCFieldDescriptor *field)
{
        const ProtobufCMessageDescriptor *message = field->descriptor;

        switch (field->type) {
        case PROTOBUF_C_TYPE_MESSAGE:
                put_message(packet, field->id, message, NULL);
                /* A list has one more for each member of the oneof in its messages. */
                for (unsigned i = 0; i < message->n_fields; i++)
                        if (in_oneof(&message->fields[i]))
                                put_message(packet, field->id, message, &message->fields[i]);
                break;
        case PROTOBUF_C_TYPE_STRING:
                put_bytes(packet, field->id, field->name, strlen(field->name));
                break;
        default:
                put_varint(packet, field->id << 3);
                put_varint(packet, field->type == PROTOBUF_C_TYPE_UINT64 ? UINT64_MAX : 1);
        }
}

/* An envelope is nothing but a oneof: a seed for each member. */
static void make_envelope(const ProtobufCMessageDescriptor *envelope)
{
        for (unsigned i = 0; i < envelope->n_fields; i++) {
                struct packet packet = {.size = 0};

                put_field(&packet, &envelope->fields[i]);
                write_seed(envelope->fields[i].name, packet.bytes, packet.size);
        }
}

static void make_wire(void)
{
        make_envelope(&filemem__to_daemon__descriptor);
        make_envelope(&filemem__to_client__descriptor);
}

/* ---- sessions: histories as fuzz_sessions.c reads them -----------------------------------------
 */

/* The steps: what and who. A message that is made ends with a byte that breaks it, or does not. */
#define CONNECT(who)      0, who
#define HELLO(who)        1, who, 0, 0
#define REQUEST(who, n)   2, who, n
#define AS_IT_IS          7, 0 /* the id, and nothing broken */
#define RAW(who, fds, n)  4, who, fds, 0, n
#define LARGE(who)        5, who, 0, 0
#define RECEIVE(who)      6, who, 31
#define WRITE(who, page)  7, who, page, 8, 1
#define PUNCH(who, page)  8, who, page, 1
#define HALF_CLOSE(who)   9, who, 0
#define HANG_UP(who)      10, who
#define STEP              11, 0
#define TURN              12, 0, 3
#define BEGIN(who)        CONNECT(who), HELLO(who), TURN, RECEIVE(who)
#define ALLOCATE(pages)   0, 1, pages
#define INCREF(page, n)   2, 0, page, n
#define DECREF(page, n)   3, 0, page, n
#define DECOMMIT(page, n) 5, 0, page, n
#define PING              6, 0
#define SCAN              6, 2
#define STATUS            6, 4
#define SESSIONS          6, 5, 0, 0
#define DUMP              6, 6, 0, 0
#define OPEN_PEER         8, 0
#define OPEN_READER       8, 0x12
#define POOLS             8, 2, 0
#define DESTROY_DEFAULT   8, 9
#define KICK(session)     8, 4, session
#define RELOAD            8, 5

#define KEPT_HELLO(who) 1, who, 0x80, 0

static const uint8_t one_life[] = {BEGIN(0), REQUEST(0, 2), ALLOCATE(8), PING, AS_IT_IS, TURN,
        WRITE(0, 0), REQUEST(0, 4), SCAN, STATUS, SESSIONS, DUMP, AS_IT_IS, TURN, STEP, TURN,
        RECEIVE(0), REQUEST(0, 2), DECOMMIT(0, 4), DECREF(2, 2), AS_IT_IS, TURN, STEP, TURN,
        RECEIVE(0), HANG_UP(0), TURN};

static const uint8_t two_share[] = {BEGIN(0), BEGIN(1), REQUEST(0, 1), ALLOCATE(8), AS_IT_IS, TURN,
        REQUEST(1, 2), INCREF(2, 4), DECOMMIT(2, 4), AS_IT_IS, TURN, STEP, HANG_UP(0), TURN, STEP,
        WRITE(1, 0), REQUEST(1, 2), DECREF(2, 4), SCAN, AS_IT_IS, TURN, STEP, RECEIVE(1), TURN};

static const uint8_t death_in_flight[] = {BEGIN(2), REQUEST(2, 3), ALLOCATE(16), DECOMMIT(0, 16),
        SCAN, AS_IT_IS, REQUEST(2, 1), DECREF(0, 16), AS_IT_IS, TURN, HANG_UP(2), TURN, STEP};

static const uint8_t wrong_words[] = {BEGIN(0), BEGIN(1), HELLO(0), TURN, RECEIVE(0), RAW(1, 3, 2),
        0, 1, 2, 0x0a, 0x00, TURN, RECEIVE(1), BEGIN(2), LARGE(2), TURN, RECEIVE(2), BEGIN(3),
        REQUEST(3, 1), PING, 0x80, 3, TURN, RECEIVE(3), BEGIN(3), PUNCH(3, 0), HALF_CLOSE(3), TURN};

static const uint8_t peers_and_pools[] = {CONNECT(0), 1, 0, 0x20, 0, TURN, RECEIVE(0),
        REQUEST(0, 2), ALLOCATE(8), OPEN_PEER, AS_IT_IS, TURN, RECEIVE(0), HELLO(1), TURN,
        RECEIVE(1), REQUEST(1, 1), INCREF(0, 8), AS_IT_IS, TURN, HANG_UP(0), TURN, STEP,
        REQUEST(1, 3), POOLS, DUMP, OPEN_READER, AS_IT_IS, TURN, RECEIVE(1), HELLO(2), TURN,
        RECEIVE(2), BEGIN(3), REQUEST(3, 3), KICK(2), DESTROY_DEFAULT, RELOAD, AS_IT_IS, TURN, STEP,
        TURN, RECEIVE(3)};

/* An odd number of bytes: the daemon has a store. */
static const uint8_t kept[] = {CONNECT(0), KEPT_HELLO(0), CONNECT(1), KEPT_HELLO(1), TURN,
        RECEIVE(0), RECEIVE(1), REQUEST(0, 2), ALLOCATE(8), OPEN_PEER, AS_IT_IS, TURN, RECEIVE(0),
        REQUEST(1, 2), INCREF(2, 4), DECREF(0, 1), AS_IT_IS, TURN, STEP, REQUEST(0, 2),
        DECREF(1, 2), KICK(3), AS_IT_IS, TURN, STEP, 12};

_Static_assert(sizeof(kept) % 2, "it has a store");

static void make_sessions(void)
{
        write_seed("kept", kept, sizeof(kept));
        write_seed("peers-and-pools", peers_and_pools, sizeof(peers_and_pools));
        write_seed("one-life", one_life, sizeof(one_life));
        write_seed("two-share", two_share, sizeof(two_share));
        write_seed("death-in-flight", death_in_flight, sizeof(death_in_flight));
        write_seed("wrong-words", wrong_words, sizeof(wrong_words));
}

/* ---- journals: how, how many records, and they; then changes of bytes --------------------------
 */

#define KEEP(start, count)          1, 0, start, count, 0, 1
#define GIVE(start, count)          2, 0, start, count, 0, 1
#define JOIN(slot)                  3, slot, 0, 0, 0, 0
#define LEAVE(slot)                 4, slot, 0, 0, 0, 0
#define HOLD(slot, start, count, n) 5, slot, start, count, n, 1
#define TAKE(slot, start, count)    6, slot, start, count, 1, 1
#define SHARE(slot, start, count)   7, slot, start, count, 1, 1
#define DROP(slot, start, count, n) 8, slot, start, count, n, 1
#define RESULT(slot, value)         9, slot, 0, 0, value, 1
#define SIZE(pages)                 10, 0, 0, 0, pages, 0

static const uint8_t whole_journal[] = {0, 10, JOIN(0), JOIN(1), TAKE(0, 0, 16), SHARE(1, 4, 4),
        DROP(0, 2, 4, 1), RESULT(1, 3), TAKE(1, 16, 8), DROP(1, 16, 8, 1), GIVE(16, 8), SIZE(64)};

static const uint8_t copied_journal[] = {1, 8, SIZE(128), KEEP(0, 32), KEEP(40, 10), JOIN(2),
        HOLD(2, 0, 8, 3), JOIN(0), HOLD(0, 4, 8, 1), LEAVE(3)};

static const uint8_t broken_record[] = {
        2, 4, JOIN(0), TAKE(0, 0, 16), SHARE(0, 0, 4), DROP(0, 8, 4, 1), 0, 0x10, 40};

static const uint8_t broken_header[] = {
        4, 4, JOIN(0), TAKE(0, 0, 16), SHARE(0, 0, 4), DROP(0, 8, 4, 1), 1, 0x01, 48, 1, 0x02, 32};

static const uint8_t small_count[] = {
        2, 4, JOIN(0), TAKE(0, 0, 16), SHARE(0, 0, 4), DROP(0, 8, 4, 1), 1, 0x04, 48};

static void make_journals(void)
{
        write_seed("small-count", small_count, sizeof(small_count));
        write_seed("whole", whole_journal, sizeof(whole_journal));
        write_seed("copied", copied_journal, sizeof(copied_journal));
        write_seed("broken-record", broken_record, sizeof(broken_record));
        write_seed("broken-header", broken_header, sizeof(broken_header));
}

int main(int argc, char **argv)
{
        static const struct {
                const char *target;
                void (*make)(void);
        } corpora[] = {{"fuzz_usage_tree", make_usage_tree}, {"fuzz_wire", make_wire},
                {"fuzz_sessions", make_sessions}, {"fuzz_journal", make_journals}};

        if (argc != 2)
                errx(EXIT_FAILURE, "usage: make_corpus FOLDER");
        for (unsigned i = 0; i < sizeof(corpora) / sizeof(corpora[0]); i++) {
                snprintf(folder, sizeof(folder), "%s/%s", argv[1], corpora[i].target);
                if (mkdir(folder, 0777) < 0 && errno != EEXIST)
                        err(EXIT_FAILURE, "%s", folder);
                corpora[i].make();
        }
        return EXIT_SUCCESS;
}
