// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz_packets.h"

#include "base/check.h"
#include "support/raw.h"

#define OPERATIONS 24 /* of one request; raw packets have as many as they like */

static size_t encode(const Filemem__ToDaemon *message, uint8_t *buffer)
{
        ssize_t size = wire_encode_to_daemon(message, buffer);

        check(size > 0);
        return (size_t)size;
}

size_t fuzz_make_hello(struct input *input, uint8_t *buffer)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Hello hello = FILEMEM__HELLO__INIT;
        char label[WIRE_LABEL_MAX + 2], pool[16];
        uint8_t how = take_byte(input);

        hello.major = how & 1 ? take_byte(input) : WIRE_MAJOR;
        hello.minor = how & 2 ? take_byte(input) : 0;
        if (how & 4)
                hello.label = take_text(input, label, sizeof(label));
        if (how & 8)
                hello.pool = take_text(input, pool, sizeof(pool));
        hello.read_only = how & 0x10;
        hello.private_pool = how & 0x20;
        hello.no_pool = how & 0x40;
        hello.resumable = how & 0x80;
        message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        message.hello = &hello;
        return encode(&message, buffer);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void make_range(struct input *input, Filemem__Range *range, uint8_t how)
{
        filemem__range__init(range);
        range->start = take_offset(input, how & 0x40);
        range->end = how & 0x20 ? take_number(input) : range->start + take_offset(input, false);
}

static void make_decommit(struct input *input, Filemem__Decommit *decommit, uint8_t how)
{
        Filemem__Range range;

        make_range(input, &range, how);
        filemem__decommit__init(decommit);
        decommit->start = range.start;
        decommit->end = range.end;
        decommit->shared = how & 0x10;
}

static void make_allocate(struct input *input, Filemem__Allocate *allocate, uint8_t how)
{
        filemem__allocate__init(allocate);
        allocate->length = take_offset(input, how & 0x40);
        if (how & 0x20)
                allocate->length *= 64; /* huge pages, and all of the pool */
        allocate->kind = (Filemem__Kind)(how & 0x10 ? take_byte(input) : how % 6);
        if (how & 0x80)
                allocate->mode = (Filemem__Mode)take_byte(input);
}

#define MAKE(upper, field, type)                                                                   \
        filemem__##type##__init(&operation->body.field);                                           \
        operation->operation.body_case = FILEMEM__OPERATION__BODY_##upper;                         \
        operation->operation.field = &operation->body.field

#define MAKE_RANGE(upper, field)                                                                   \
        make_range(input, &operation->body.range, how);                                            \
        operation->operation.body_case = FILEMEM__OPERATION__BODY_##upper;                         \
        operation->operation.field = &operation->body.range

static char *choose_pool(uint8_t how)
{
        static const char *const names[] = {"", "default", "private:1", "nowhere"};

        return (char *)(uintptr_t)names[how / 8 % 4];
}

static void make_question(struct input *input, struct raw_operation *operation, uint8_t how)
{
        switch (how % 9) {
        case 0:
                MAKE(PING, ping, ping);
                break;
        case 1:
                MAKE(USAGE, usage, usage);
                operation->body.usage.pool = choose_pool(how);
                break;
        case 2:
                MAKE(UPDATE_USAGE, update_usage, update_usage);
                operation->body.update_usage.pool = choose_pool(how);
                break;
        case 3:
                MAKE(POOL_INFO, pool_info, pool_info);
                operation->body.pool_info.pool = choose_pool(how);
                break;
        case 4:
                MAKE(DAEMON_STATUS, daemon_status, daemon_status);
                break;
        case 5:
                MAKE(SESSIONS, sessions, sessions);
                operation->body.sessions.after = take_byte(input);
                operation->body.sessions.limit = take_byte(input);
                break;
        case 6:
                MAKE(LIMITS, limits, limits);
                break;
        case 7:
                MAKE(STATISTICS, statistics, statistics);
                break;
        default:
                MAKE(DUMP, dump, dump);
                operation->body.dump.from = take_offset(input, how & 0x40);
                operation->body.dump.limit = take_byte(input);
        }
}

static void make_administration(struct input *input, struct raw_operation *operation, uint8_t how)
{
        switch (how % 6) {
        case 0:
        case 1:
                MAKE(OPEN_PEER, open_peer, open_peer);
                operation->body.open_peer.read_only = how & 0x10;
                break;
        case 2:
                MAKE(POOLS, pools, pools);
                operation->body.pools.limit = take_byte(input);
                break;
        case 3:
                MAKE(DESTROY_POOL, destroy_pool, destroy_pool);
                operation->body.destroy_pool.pool = choose_pool(how);
                break;
        case 4:
                MAKE(KICK_SESSION, kick_session, kick_session);
                operation->body.kick_session.session = take_byte(input);
                break;
        default:
                MAKE(RELOAD, reload, reload);
        }
}

static void make_operation(struct input *input, struct raw_operation *operation)
{
        uint8_t what = take_byte(input), how = take_byte(input);

        filemem__operation__init(&operation->operation);
        operation->operation.no_reply = what & 0x80;
        switch (what % 9) {
        case 0:
        case 1:
                make_allocate(input, &operation->body.allocate, how);
                operation->operation.body_case = FILEMEM__OPERATION__BODY_ALLOCATE;
                operation->operation.allocate = &operation->body.allocate;
                break;
        case 2:
                MAKE_RANGE(INCREF, incref);
                break;
        case 3:
        case 4:
                MAKE_RANGE(DECREF, decref);
                break;
        case 5:
                make_decommit(input, &operation->body.decommit, how);
                operation->operation.body_case = FILEMEM__OPERATION__BODY_DECOMMIT;
                operation->operation.decommit = &operation->body.decommit;
                break;
        case 6:
                make_question(input, operation, how);
                break;
        case 8:
                make_administration(input, operation, how);
                break;
        default:
                break; /* an operation that is none */
        }
}

size_t fuzz_make_request(struct input *input, uint8_t *buffer)
{
        struct raw_operation operations[OPERATIONS];
        Filemem__Operation *list[OPERATIONS];
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;

        request.n_operations = take_byte(input) % (OPERATIONS + 1);
        for (size_t i = 0; i < request.n_operations; i++) {
                make_operation(input, &operations[i]);
                list[i] = &operations[i].operation;
        }
        request.id = take_byte(input);
        request.operations = list;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        return encode(&message, buffer);
}
