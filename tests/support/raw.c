// SPDX-License-Identifier: Apache-2.0
#include "support/raw.h"

#include "proto/fdset.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The tests want to see replies that were made to be expensive too. */
#define ARENA_SIZE (8u << 20)

#define OPERATIONS_MAX 300

/* Milliseconds until a missing answer fails a test. */
#define PATIENCE 30000

/* ---- connecting ------------------------------------------------------------------------------ */

void raw_adopt(struct raw *raw, int fd)
{
        *raw = (struct raw){.fd = fd, .memfd = -1, .peer = -1, .next_id = 1};
        ck_assert_int_eq(arena_init(&raw->arena, ARENA_SIZE), 0);
}

int raw_try_connect(struct raw *raw, const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        raw_adopt(raw, fd);
        return 0;
}

void raw_connect(struct raw *raw, const char *path)
{
        ck_assert_int_eq(raw_try_connect(raw, path), 0);
}

const Filemem__ToClient *raw_greet(struct raw *raw, const Filemem__Hello *hello)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        const Filemem__ToClient *answer;

        message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        message.hello = (Filemem__Hello *)(uintptr_t)hello;
        raw_send(raw, &message);
        answer = raw_receive(raw);
        ck_assert_ptr_nonnull(answer);
        if (answer->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME) {
                raw->session = answer->welcome->session;
                raw->capacity = answer->welcome->capacity;
        }
        return answer;
}

void raw_hello(struct raw *raw, const char *label)
{
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = WIRE_MAJOR;
        hello.minor = WIRE_MINOR;
        hello.label = (char *)(uintptr_t)label;
        ck_assert_int_eq(raw_greet(raw, &hello)->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        ck_assert_int_ge(raw->memfd, 0);
}

void raw_open(struct raw *raw, const char *path, const char *label)
{
        raw_connect(raw, path);
        raw_hello(raw, label);
}

void raw_close(struct raw *raw)
{
        if (raw->fd >= 0)
                close(raw->fd);
        if (raw->memfd >= 0)
                close(raw->memfd);
        if (raw->peer >= 0)
                close(raw->peer);
        arena_deinit(&raw->arena);
        raw->fd = raw->memfd = raw->peer = -1;
}

/* ---- sending --------------------------------------------------------------------------------- */

int raw_send_bytes(struct raw *raw, const void *data, size_t size, const int *fds, size_t count)
{
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * (FDSET_MAX + 1))];
        struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        if (count) {
                message.msg_control = control;
                fdset_attach(&message, fds, count);
        }
        return sendmsg(raw->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int raw_try_send(struct raw *raw, const Filemem__ToDaemon *message)
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        ssize_t size = wire_encode_to_daemon(message, buffer);

        ck_assert_int_gt(size, 0);
        return raw_send_bytes(raw, buffer, (size_t)size, NULL, 0);
}

void raw_send(struct raw *raw, const Filemem__ToDaemon *message)
{
        ck_assert_int_eq(raw_try_send(raw, message), 0);
}

void raw_send_hello(struct raw *raw, uint32_t major, const char *pool, const char *label)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = major;
        hello.minor = WIRE_MINOR;
        hello.pool = (char *)(uintptr_t)pool;
        hello.label = (char *)(uintptr_t)label;
        message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        message.hello = &hello;
        raw_send(raw, &message);
}

int raw_try_request(struct raw *raw, struct raw_operation *operations, size_t count)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;
        Filemem__Operation *list[OPERATIONS_MAX];

        ck_assert_uint_le(count, OPERATIONS_MAX);
        for (size_t i = 0; i < count; i++)
                list[i] = &operations[i].operation;
        request.id = raw->next_id++;
        request.operations = list;
        request.n_operations = count;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        return raw_try_send(raw, &message);
}

uint64_t raw_request(struct raw *raw, struct raw_operation *operations, size_t count)
{
        ck_assert_int_eq(raw_try_request(raw, operations, count), 0);
        return raw->next_id - 1;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static ssize_t receive_packet(struct raw *raw, uint8_t *buffer, struct fdset *fds)
{
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec part = {.iov_base = buffer, .iov_len = WIRE_MESSAGE_MAX};
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control),
        };
        struct pollfd poll_fd = {.fd = raw->fd, .events = POLLIN};
        ssize_t size;

        ck_assert_msg(poll(&poll_fd, 1, PATIENCE) == 1, "no answer");
        size = recvmsg(raw->fd, &message, MSG_CMSG_CLOEXEC);
        ck_assert_msg(size >= 0, "receiving: %s", strerror(errno));
        ck_assert_int_eq(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC), 0);
        fdset_consume(fds, &message);
        return size;
}

static bool brings_memfd(const Filemem__ToClient *message)
{
        return message->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME && message->welcome->capacity;
}

static bool brings_peer(const Filemem__ToClient *message)
{
        if (message->body_case != FILEMEM__TO_CLIENT__BODY_REPLY)
                return false;
        for (size_t i = 0; i < message->reply->n_results; i++)
                switch (message->reply->results[i]->body_case) {
                case FILEMEM__RESULT__BODY_PEER_OPENED:
                case FILEMEM__RESULT__BODY_STATISTICS:
                        return true;
                default:
                        break;
                }
        return false;
}

const Filemem__ToClient *raw_receive(struct raw *raw)
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        Filemem__ToClient *message;
        struct fdset fds;
        ssize_t size = receive_packet(raw, buffer, &fds);

        if (!size)
                return NULL;
        arena_reset(&raw->arena);
        ck_assert_int_eq(wire_decode_to_client(&raw->arena, buffer, (size_t)size, &message), 0);
        /* A descriptor comes with what is for it, and with nothing else. */
        ck_assert_uint_eq(fds.count, brings_memfd(message) || brings_peer(message));
        if (brings_memfd(message)) {
                ck_assert_int_lt(raw->memfd, 0);
                raw->memfd = fdset_steal(&fds, 0);
        } else if (fds.count) {
                ck_assert_int_lt(raw->peer, 0);
                raw->peer = fdset_steal(&fds, 0);
        }
        return message;
}

const Filemem__Reply *raw_receive_reply(struct raw *raw, uint64_t id)
{
        const Filemem__ToClient *message = raw_receive(raw);

        ck_assert_msg(message, "the connection ended, and no reply came");
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_REPLY);
        ck_assert_uint_eq(message->reply->id, id);
        return message->reply;
}

const Filemem__Goodbye *raw_receive_goodbye(struct raw *raw)
{
        const Filemem__ToClient *message = raw_receive(raw);

        ck_assert_msg(message, "the connection ended without Goodbye");
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
        return message->goodbye;
}

void raw_receive_end(struct raw *raw)
{
        ck_assert_ptr_null(raw_receive(raw));
}

bool raw_is_readable(struct raw *raw)
{
        struct pollfd poll_fd = {.fd = raw->fd, .events = POLLIN};

        return poll(&poll_fd, 1, 0) == 1;
}

/* ---- both ------------------------------------------------------------------------------------ */

const Filemem__Result *raw_call(struct raw *raw, struct raw_operation *operation)
{
        const Filemem__Reply *reply = raw_receive_reply(raw, raw_request(raw, operation, 1));

        ck_assert_int_eq(reply->status, FILEMEM__STATUS__STATUS_OK);
        ck_assert_uint_eq(reply->n_results, 1);
        return reply->results[0];
}

const Filemem__Result *raw_do(struct raw *raw, struct raw_operation *operation)
{
        const Filemem__Result *result = raw_call(raw, operation);

        ck_assert_msg(result->status == FILEMEM__STATUS__STATUS_OK, "%s", result->text);
        return result;
}

uint64_t raw_get(struct raw *raw, uint64_t length, int kind)
{
        struct raw_operation operation;
        const Filemem__Result *result;

        raw_allocate(&operation, length, kind);
        result = raw_do(raw, &operation);
        ck_assert_int_eq(result->body_case, FILEMEM__RESULT__BODY_ALLOCATED);
        ck_assert_uint_eq(result->allocated->end - result->allocated->start, length);
        return result->allocated->start;
}

size_t raw_dump_all(struct raw *raw, Filemem__DumpEntry **ret)
{
        Filemem__DumpEntry *entries = NULL;
        uint64_t from = 0;
        size_t count = 0;

        do {
                struct raw_operation operation;
                const Filemem__DumpPage *page;
                Filemem__DumpEntry *more;

                raw_dump(&operation, from, 0);
                page = raw_do(raw, &operation)->dump;
                more = realloc(entries, sizeof(*entries) * (count + page->n_entries + 1));
                ck_assert_ptr_nonnull(more);
                entries = more;
                for (size_t i = 0; i < page->n_entries; i++)
                        entries[count++] = *page->entries[i];
                ck_assert_msg(!page->next || page->next > from, "the pages do not go on");
                from = page->next;
        } while (from);
        *ret = entries;
        return count;
}

void raw_settle(struct raw *raw)
{
        for (int i = 0; i < PATIENCE / 5; i++) {
                Filemem__DumpEntry *entries;
                size_t count = raw_dump_all(raw, &entries), freed = 0;

                for (size_t j = 0; j < count; j++)
                        freed += entries[j].refs == 0;
                free(entries);
                if (!freed)
                        return;
                usleep(5000);
        }
        ck_abort_msg("freed ranges are not given back");
}
