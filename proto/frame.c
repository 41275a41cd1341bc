// SPDX-License-Identifier: Apache-2.0
#include "proto/frame.h"

#include "proto/varint.h"

#include <errno.h>

/* Numbers of fields, and that they have a length. */
#define TAG_REQUEST     (2 << 3 | 2) /* of ToDaemon */
#define TAG_ID          (1 << 3)     /* of Request, as the following */
#define TAG_OPERATION   (2 << 3 | 2)
#define TAG_ACKNOWLEDGE (3 << 3)

ssize_t frame_add(uint8_t *buffer, size_t size, size_t at, const Filemem__Operation *operation)
{
        size_t length = protobuf_c_message_get_packed_size(&operation->base);
        uint8_t *next = buffer + at;

        if (size - at < 1 + varint_length(length) + length)
                return -EMSGSIZE;
        *next++ = TAG_OPERATION;
        next = varint_put(next, length);
        next += protobuf_c_message_pack(&operation->base, next);
        return next - buffer;
}

/* No length is above 127. */
size_t frame_add_numbers(uint8_t *buffer, size_t at, Filemem__Operation__BodyCase body,
        bool no_reply, uint64_t first, uint64_t second)
{
        uint8_t *operation = buffer + at + 2, *next = operation, *numbers;

        next = varint_put_field(next, 1, no_reply);
        *next++ = (uint8_t)((unsigned)body << 3 | 2);
        numbers = ++next;
        next = varint_put_field(next, 1, first);
        next = varint_put_field(next, 2, second);
        numbers[-1] = (uint8_t)(next - numbers);
        buffer[at] = TAG_OPERATION;
        buffer[at + 1] = (uint8_t)(next - operation);
        return (size_t)(next - buffer);
}

size_t frame_close(uint8_t *buffer, size_t end, uint64_t id, bool acknowledge)
{
        size_t inside = 1 + varint_length(id) + (acknowledge ? 2 : 0);
        size_t length = inside + end - FRAME_HEAD;
        size_t start = FRAME_HEAD - inside - varint_length(length) - 1;
        uint8_t *next = buffer + start;

        *next++ = TAG_REQUEST;
        next = varint_put(next, length);
        *next++ = TAG_ID;
        next = varint_put(next, id);
        if (acknowledge) {
                *next++ = TAG_ACKNOWLEDGE;
                *next = 1;
        }
        return start;
}
