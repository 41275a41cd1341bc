// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the seeds of the corpora: make_corpus FOLDER writes FOLDER/fuzz_usage_tree/seed-* and
 * FOLDER/fuzz_wire/seed-*, the same bytes each time. Run it when the model draws differently or the
 * protocol has new messages; findings in the corpora are files with other names and stay.
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

int main(int argc, char **argv)
{
        static const struct {
                const char *target;
                void (*make)(void);
        } corpora[] = {{"fuzz_usage_tree", make_usage_tree}, {"fuzz_wire", make_wire}};

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
