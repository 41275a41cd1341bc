// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a history: clients come, say what is right or wrong with whatever descriptors, read
 * or do not, write to the memory, and go, while the server and its threads have their turns. After
 * every step
 *
 *      the pool's references are the sum of what the sessions hold, and its tree is valid
 *      what the server counts is what there is
 *      what a client reads is a message, with a descriptor where one belongs and nowhere else
 *
 * and when all are gone nothing is held, stored or open. With an odd number of bytes the daemon has
 * a descriptor store, and what it has written down before they go says what each of them holds.
 *
 * A step is a byte that says what, a byte that says who, and what that needs. Packets are bytes of
 * the input, or are made from few of them, so that the fuzzer need not find out how a message is
 * encoded before it gets anywhere.
 */
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_packets.h"
#include "fuzz/fuzz_server.h"

#include "base/check.h"
#include "proto/fdset.h"
#include "proto/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 4

struct client {
        int fd; /* -1: not connected */
        int memfd;
};

static struct client clients[CLIENTS];

/* ---- sending ----------------------------------------------------------------------------------
 */

static void send_packet(
        const struct client *client, const void *data, size_t size, const int *fds, size_t count)
{
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE] = {0};
        struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        if (client->fd < 0)
                return;
        if (count) {
                message.msg_control = control;
                fdset_attach(&message, fds, count);
        }
        /* A buffer that is full and a server that has hung up are part of the game. */
        (void)!sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Some of what is there: the client's own end of the connection, the memory, another client. */
static void send_with_fds(struct input *input, const struct client *client, const uint8_t *data,
        size_t size, uint8_t how)
{
        int fds[FDSET_MAX];
        size_t count = how == UINT8_MAX ? FDSET_MAX : how % 4;

        for (size_t i = 0; i < count; i++) {
                const struct client *other = &clients[take_byte(input) % CLIENTS];

                fds[i] = i % 2 ? other->memfd : other->fd;
                if (fds[i] < 0)
                        fds[i] = STDERR_FILENO;
        }
        send_packet(client, data, size, fds, count);
}

static void send_raw(struct input *input, const struct client *client)
{
        uint8_t how = take_byte(input);
        size_t size = (size_t)take_byte(input) << 8;
        const uint8_t *data;

        size |= take_byte(input);
        size = take_bytes(input, size, &data);
        send_with_fds(input, client, data, size, how);
}

/* Larger than any message may be, or just not. */
static void send_large(struct input *input, const struct client *client)
{
        static uint8_t data[WIRE_MESSAGE_MAX + 1];

        memset(data, take_byte(input), sizeof(data));
        send_packet(client, data, sizeof(data) - take_byte(input) % 2, NULL, 0);
}

/* A message that was made, as it is or not quite. */
static void send_made(struct input *input, const struct client *client,
        size_t (*make)(struct input *input, uint8_t *buffer))
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        size_t size = make(input, buffer);
        uint8_t how = take_byte(input);

        if (how & 0x80) /* cut, */
                size -= take_byte(input) % size;
        if (how & 0x40) { /* or with another byte in it */
                size_t at = take_byte(input) % size;

                buffer[at] ^= take_byte(input);
        }
        if (how & 0x20)
                send_with_fds(input, client, buffer, size, take_byte(input));
        else
                send_packet(client, buffer, size, NULL, 0);
}

/* ---- receiving, and the memory ----------------------------------------------------------------
 */

static void hang_up(struct client *client)
{
        if (client->fd >= 0)
                close(client->fd);
        if (client->memfd >= 0)
                close(client->memfd);
        client->fd = client->memfd = -1;
}

static bool has_result(const Filemem__ToClient *message, Filemem__Result__BodyCase body)
{
        if (message->body_case != FILEMEM__TO_CLIENT__BODY_REPLY)
                return false;
        for (size_t i = 0; i < message->reply->n_results; i++)
                if (message->reply->results[i]->body_case == body)
                        return true;
        return false;
}

/* The memory, which comes once; a page of statistics; or the socket of a peer, which the next
 * client is then. */
static void take_descriptor(
        struct client *client, const Filemem__ToClient *message, struct fdset *fds)
{
        struct client *next = &clients[(size_t)(client - clients + 1) % CLIENTS];
        bool welcome = message->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME;
        bool peer = has_result(message, FILEMEM__RESULT__BODY_PEER_OPENED);
        bool statistics = has_result(message, FILEMEM__RESULT__BODY_STATISTICS);

        if (welcome && !message->welcome->capacity) {
                check(fds->count == 0); /* it is in no pool */
                return;
        }
        check(fds->count == (welcome || peer || statistics));
        if (!fds->count)
                return;
        if (statistics) {
                close(fdset_steal(fds, 0));
                return;
        }
        if (welcome) {
                check(client->memfd < 0);
                client->memfd = fdset_steal(fds, 0);
                return;
        }
        hang_up(next);
        next->fd = fdset_steal(fds, 0);
        check(fcntl(next->fd, F_SETFL, O_NONBLOCK) == 0);
}

/* Returns whether there was a packet. */
static bool receive_packet(struct client *client)
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        static struct arena arena;
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec part = {.iov_base = buffer, .iov_len = sizeof(buffer)};
        struct msghdr message = {.msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control)};
        Filemem__ToClient *decoded;
        struct fdset fds;
        ssize_t size;

        if (client->fd < 0)
                return false;
        size = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size <= 0)
                return false;
        if (!arena.block)
                check(arena_init(&arena, 8u << 20) == 0);
        arena_reset(&arena);
        fdset_consume(&fds, &message);
        check(!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)));
        check(wire_decode_to_client(&arena, buffer, (size_t)size, &decoded) == 0);
        take_descriptor(client, decoded, &fds);
        return true;
}

static void receive(struct input *input, struct client *client)
{
        for (unsigned count = take_byte(input) % 32; count && receive_packet(client); count--)
                ;
}

/* Where it holds something or not: the kernel does not ask. */
static void write_memory(struct input *input, const struct client *client)
{
        uint64_t start = take_offset(input, false), end = start + take_offset(input, false);
        uint8_t byte = take_byte(input);

        for (; client->memfd >= 0 && start < end; start += FUZZ_PAGE)
                (void)!pwrite(client->memfd, &byte, 1, (off_t)start);
}

static void punch_memory(struct input *input, const struct client *client)
{
        off_t start = (off_t)take_offset(input, false), length = (off_t)take_offset(input, false);

        if (client->memfd >= 0)
                (void)!fallocate(client->memfd,
                        FALLOC_FL_KEEP_SIZE | (length & 0x1000 ? FALLOC_FL_PUNCH_HOLE : 0), start,
                        length);
}

/* ---- coming and going -------------------------------------------------------------------------
 */

static void connect_again(struct client *client, bool small)
{
        hang_up(client);
        client->fd = fuzz_server_connect(small);
}

static void half_close(struct input *input, const struct client *client)
{
        if (client->fd >= 0)
                shutdown(client->fd, take_byte(input) % 2 ? SHUT_RD : SHUT_WR);
}

static void take_turns(struct input *input)
{
        for (unsigned count = 1 + take_byte(input) % 4; count; count--)
                fuzz_server_turn();
}

static void take_step(struct input *input)
{
        uint8_t what = take_byte(input), who = take_byte(input);
        struct client *client = &clients[who % CLIENTS];

        switch (what % 13) {
        case 0:
                connect_again(client, who & 0x80);
                break;
        case 1:
                send_made(input, client, fuzz_make_hello);
                break;
        case 2:
        case 3:
                send_made(input, client, fuzz_make_request);
                break;
        case 4:
                send_raw(input, client);
                break;
        case 5:
                send_large(input, client);
                break;
        case 6:
                receive(input, client);
                break;
        case 7:
                write_memory(input, client);
                break;
        case 8:
                punch_memory(input, client);
                break;
        case 9:
                half_close(input, client);
                break;
        case 10:
                hang_up(client);
                break;
        case 11:
                fuzz_server_step();
                break;
        default:
                take_turns(input);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input input = {data, size};

        for (int i = 0; i < CLIENTS; i++)
                clients[i] = (struct client){-1, -1};
        fuzz_server_start(size % 2);
        while (input.left) {
                take_step(&input);
                fuzz_server_check();
        }
        fuzz_server_check_kept();
        for (int i = 0; i < CLIENTS; i++)
                hang_up(&clients[i]);
        fuzz_server_stop();
        return 0;
}
