// SPDX-License-Identifier: Apache-2.0
#include "proto/wire.h"

#include "proto/frequent.h"

#include <errno.h>

static int decode(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
        const void *data, size_t size, ProtobufCMessage **ret)
{
        ProtobufCMessage *message;

        if (size > WIRE_MESSAGE_MAX)
                return -EMSGSIZE;
        message = protobuf_c_message_unpack(descriptor, &arena->allocator, size, data);
        if (!message)
                return -EBADMSG;
        *ret = message;
        return 0;
}

static ssize_t encode(const ProtobufCMessage *message, uint8_t *buffer)
{
        size_t size = protobuf_c_message_get_packed_size(message);

        if (size > WIRE_MESSAGE_MAX)
                return -EMSGSIZE;
        return (ssize_t)protobuf_c_message_pack(message, buffer);
}

int wire_decode_to_daemon(
        struct arena *arena, const void *data, size_t size, Filemem__ToDaemon **ret)
{
        ProtobufCMessage *message;
        int r;

        if (size <= WIRE_MESSAGE_MAX && frequent_decode_request(arena, data, size, ret))
                return 0;
        r = decode(arena, &filemem__to_daemon__descriptor, data, size, &message);
        if (r < 0)
                return r;
        *ret = (Filemem__ToDaemon *)message;
        return 0;
}

int wire_decode_to_client(
        struct arena *arena, const void *data, size_t size, Filemem__ToClient **ret)
{
        ProtobufCMessage *message;
        int r;

        if (size <= WIRE_MESSAGE_MAX && frequent_decode_reply(arena, data, size, ret))
                return 0;
        r = decode(arena, &filemem__to_client__descriptor, data, size, &message);
        if (r < 0)
                return r;
        *ret = (Filemem__ToClient *)message;
        return 0;
}

ssize_t wire_encode_to_daemon(const Filemem__ToDaemon *message, uint8_t *buffer)
{
        return encode(&message->base, buffer);
}

ssize_t wire_encode_to_client(const Filemem__ToClient *message, uint8_t *buffer)
{
        size_t size = frequent_encode_reply(message, buffer);

        return size ? (ssize_t)size : encode(&message->base, buffer);
}
