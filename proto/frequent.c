// SPDX-License-Identifier: Apache-2.0
#include "proto/frequent.h"

#include "proto/varint.h"

#include <string.h>

/* Of a field: its number, and that it has a length or is a number. */
#define PART(field)   ((field) << 3 | 2)
#define NUMBER(field) ((field) << 3)

/* ---- reading ----------------------------------------------------------------------------------
 */

struct reader {
        const uint8_t *at, *end;
};

static bool is_at(const struct reader *reader, unsigned tag)
{
        return reader->at < reader->end && *reader->at == tag;
}

static bool is_read(const struct reader *reader)
{
        return reader->at == reader->end;
}

static bool read_varint(struct reader *reader, uint64_t *ret)
{
        uint64_t number = 0;

        for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
                uint8_t byte = *reader->at++;

                number |= (uint64_t)(byte & 0x7f) << shift;
                if (byte & 0x80)
                        continue;
                *ret = number;
                return shift < 63 || byte <= 1;
        }
        return false;
}

/* A number that may be left out, and then is 0. */
static bool read_number(struct reader *reader, unsigned field, uint64_t *ret)
{
        *ret = 0;
        if (!is_at(reader, NUMBER(field)))
                return true;
        reader->at++;
        return read_varint(reader, ret);
}

static bool read_flag(struct reader *reader, unsigned field, protobuf_c_boolean *ret)
{
        uint64_t number;

        if (!read_number(reader, field, &number) || number > 1)
                return false;
        *ret = number != 0;
        return true;
}

/* A field that has a length: what is in it. */
static bool read_part(struct reader *reader, unsigned field, struct reader *ret)
{
        uint64_t length;

        if (!is_at(reader, PART(field)))
                return false;
        reader->at++;
        if (!read_varint(reader, &length) || length > (uint64_t)(reader->end - reader->at))
                return false;
        *ret = (struct reader){reader->at, reader->at + length};
        reader->at += length;
        return true;
}

/* How many such fields follow, with nothing else between them. */
static size_t count_parts(struct reader reader, unsigned field)
{
        struct reader part;
        size_t count = 0;

        while (read_part(&reader, field, &part))
                count++;
        return count;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

/* An operation and what it points to. */
struct operation {
        Filemem__Operation operation;
        union {
                Filemem__Allocate allocate;
                Filemem__Range range;
        } body;
};

static bool read_allocate(struct reader *part, struct operation *ret)
{
        Filemem__Allocate *allocate = &ret->body.allocate;
        uint64_t kind;

        filemem__allocate__init(allocate);
        ret->operation.allocate = allocate;
        if (!read_number(part, 1, &allocate->length) || !read_number(part, 2, &kind) ||
                kind > INT8_MAX)
                return false;
        allocate->kind = (Filemem__Kind)kind;
        return true;
}

/* The members of the union are pointers all. */
static bool read_range(struct reader *part, struct operation *ret)
{
        Filemem__Range *range = &ret->body.range;

        filemem__range__init(range);
        ret->operation.incref = range;
        return read_number(part, 1, &range->start) && read_number(part, 2, &range->end);
}

static bool read_operation(struct reader *reader, struct operation *ret)
{
        static const Filemem__Operation empty = FILEMEM__OPERATION__INIT;
        struct reader part;
        unsigned field;
        bool read;

        ret->operation = empty;
        if (!read_flag(reader, 1, &ret->operation.no_reply) || is_read(reader))
                return false;
        field = *reader->at >> 3;
        if (field < FILEMEM__OPERATION__BODY_ALLOCATE || field > FILEMEM__OPERATION__BODY_DECREF ||
                !read_part(reader, field, &part))
                return false;
        ret->operation.body_case = (Filemem__Operation__BodyCase)field;
        read = field == FILEMEM__OPERATION__BODY_ALLOCATE ? read_allocate(&part, ret)
                                                          : read_range(&part, ret);
        return read && is_read(&part) && is_read(reader);
}

static bool read_operations(struct reader *reader, struct arena *arena, Filemem__Request *request)
{
        size_t count = count_parts(*reader, 2);
        struct operation *operations;

        if (!count || count > FREQUENT_MAX)
                return false;
        request->operations = arena_alloc(arena, count * sizeof(void *));
        operations = arena_alloc(arena, count * sizeof(*operations));
        if (!request->operations || !operations)
                return false;
        request->n_operations = count;
        for (size_t i = 0; i < count; i++) {
                struct reader part;

                if (!read_part(reader, 2, &part) || !read_operation(&part, &operations[i]))
                        return false;
                request->operations[i] = &operations[i].operation;
        }
        return true;
}

static Filemem__ToDaemon *read_request(struct reader *reader, struct arena *arena)
{
        struct {
                Filemem__ToDaemon message;
                Filemem__Request request;
        } *memory = arena_alloc(arena, sizeof(*memory));
        struct reader part;

        if (!memory || !read_part(reader, FILEMEM__TO_DAEMON__BODY_REQUEST, &part) ||
                !is_read(reader))
                return NULL;
        filemem__to_daemon__init(&memory->message);
        filemem__request__init(&memory->request);
        memory->message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        memory->message.request = &memory->request;
        if (!read_number(&part, 1, &memory->request.id) ||
                !read_operations(&part, arena, &memory->request) ||
                !read_flag(&part, 3, &memory->request.acknowledge) || !is_read(&part))
                return NULL;
        return &memory->message;
}

bool frequent_decode_request(
        struct arena *arena, const uint8_t *data, size_t size, Filemem__ToDaemon **ret)
{
        struct reader reader = {data, data + size};
        size_t before = arena->used;
        Filemem__ToDaemon *message = read_request(&reader, arena);

        if (message)
                *ret = message;
        else
                arena->used = before;
        return message != NULL;
}

/* ---- replies ----------------------------------------------------------------------------------
 */

struct result {
        Filemem__Result result;
        Filemem__Allocated allocated;
};

static bool read_allocated(struct reader *reader, struct result *ret)
{
        Filemem__Allocated *allocated = &ret->allocated;
        struct reader part;

        if (!read_part(reader, FILEMEM__RESULT__BODY_ALLOCATED, &part))
                return false;
        filemem__allocated__init(allocated);
        ret->result.body_case = FILEMEM__RESULT__BODY_ALLOCATED;
        ret->result.allocated = allocated;
        return read_number(&part, 1, &allocated->start) && read_number(&part, 2, &allocated->end) &&
               read_number(&part, 3, &allocated->size) &&
               read_flag(&part, 4, &allocated->committed) && is_read(&part);
}

static bool read_result(struct reader *reader, struct result *ret)
{
        static const Filemem__Result empty = FILEMEM__RESULT__INIT;

        ret->result = empty;
        return is_read(reader) || (read_allocated(reader, ret) && is_read(reader));
}

static bool read_results(struct reader *reader, struct arena *arena, Filemem__Reply *reply)
{
        size_t count = count_parts(*reader, 4);
        struct result *results;

        if (!count || count > FREQUENT_MAX)
                return false;
        reply->results = arena_alloc(arena, count * sizeof(void *));
        results = arena_alloc(arena, count * sizeof(*results));
        if (!reply->results || !results)
                return false;
        reply->n_results = count;
        for (size_t i = 0; i < count; i++) {
                struct reader part;

                if (!read_part(reader, 4, &part) || !read_result(&part, &results[i]))
                        return false;
                reply->results[i] = &results[i].result;
        }
        return true;
}

static Filemem__ToClient *read_reply(struct reader *reader, struct arena *arena)
{
        struct {
                Filemem__ToClient message;
                Filemem__Reply reply;
        } *memory = arena_alloc(arena, sizeof(*memory));
        struct reader part;

        if (!memory || !read_part(reader, FILEMEM__TO_CLIENT__BODY_REPLY, &part) ||
                !is_read(reader))
                return NULL;
        filemem__to_client__init(&memory->message);
        filemem__reply__init(&memory->reply);
        memory->message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        memory->message.reply = &memory->reply;
        if (!read_number(&part, 1, &memory->reply.id) ||
                !read_results(&part, arena, &memory->reply) || !is_read(&part))
                return NULL;
        return &memory->message;
}

bool frequent_decode_reply(
        struct arena *arena, const uint8_t *data, size_t size, Filemem__ToClient **ret)
{
        struct reader reader = {data, data + size};
        size_t before = arena->used;
        Filemem__ToClient *message = read_reply(&reader, arena);

        if (message)
                *ret = message;
        else
                arena->used = before;
        return message != NULL;
}

/* ---- writing a reply --------------------------------------------------------------------------
 */

static bool is_empty(const char *text)
{
        return !text || !text[0];
}

static bool is_plain(const Filemem__Result *result)
{
        if (result->status != FILEMEM__STATUS__STATUS_OK || !is_empty(result->text) ||
                result->base.n_unknown_fields)
                return false;
        if (result->body_case == FILEMEM__RESULT__BODY__NOT_SET)
                return true;
        return result->body_case == FILEMEM__RESULT__BODY_ALLOCATED && result->allocated &&
               !result->allocated->base.n_unknown_fields;
}

static bool is_frequent(const Filemem__ToClient *message)
{
        const Filemem__Reply *reply = message->reply;

        if (message->body_case != FILEMEM__TO_CLIENT__BODY_REPLY || !reply ||
                message->base.n_unknown_fields || reply->base.n_unknown_fields ||
                reply->status != FILEMEM__STATUS__STATUS_OK || !is_empty(reply->text) ||
                reply->n_results > FREQUENT_MAX)
                return false;
        for (size_t i = 0; i < reply->n_results; i++)
                if (!is_plain(reply->results[i]))
                        return false;
        return true;
}

/* No length in it is above 127. */
static uint8_t *put_result(uint8_t *at, const Filemem__Result *result)
{
        const Filemem__Allocated *allocated = result->allocated;
        uint8_t *inside;

        *at++ = PART(4);
        if (result->body_case == FILEMEM__RESULT__BODY__NOT_SET) {
                *at++ = 0;
                return at;
        }
        inside = at + 3;
        at[1] = PART(FILEMEM__RESULT__BODY_ALLOCATED);
        inside = varint_put_field(inside, 1, allocated->start);
        inside = varint_put_field(inside, 2, allocated->end);
        inside = varint_put_field(inside, 3, allocated->size);
        inside = varint_put_field(inside, 4, allocated->committed != 0);
        at[2] = (uint8_t)(inside - at - 3);
        at[0] = (uint8_t)(at[2] + 2);
        return inside;
}

size_t frequent_encode_reply(const Filemem__ToClient *message, uint8_t *buffer)
{
        /* Where the reply begins if its length takes one byte. */
        uint8_t *begin = buffer + 2, *end = begin;
        size_t length, moved;

        if (!is_frequent(message))
                return 0;
        end = varint_put_field(end, 1, message->reply->id);
        for (size_t i = 0; i < message->reply->n_results; i++)
                end = put_result(end, message->reply->results[i]);
        length = (size_t)(end - begin);
        moved = varint_length(length) - 1;
        if (moved)
                memmove(begin + moved, begin, length);
        buffer[0] = PART(FILEMEM__TO_CLIENT__BODY_REPLY);
        varint_put(buffer + 1, length);
        return 2 + moved + length;
}
