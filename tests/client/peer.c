// SPDX-License-Identifier: Apache-2.0
#include "peer.h"

#include "proto/fdset.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* libcheck's assertions are for the thread that runs the test. */
#define must(condition)                                                                            \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        fprintf(stderr, "%s:%d: peer: %s (%s)\n", __FILE__, __LINE__, #condition,  \
                                strerror(errno));                                                  \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)

static void *run(void *argument)
{
        struct peer *peer = argument;

        peer->script(peer);
        peer_hang_up(peer);
        return NULL;
}

static int make_memfd(uint64_t capacity)
{
        int fd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        must(fd >= 0);
        must(ftruncate(fd, (off_t)capacity) == 0);
        must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
        return fd;
}

void peer_start_sized(struct peer *peer, void (*script)(struct peer *peer), const void *argument,
        uint64_t capacity)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        memset(peer, 0, sizeof(*peer));
        peer->fd = -1;
        peer->script = script;
        peer->argument = argument;
        peer->capacity = capacity;
        peer->memfd = make_memfd(capacity);
        must(arena_init(&peer->arena, WIRE_ARENA_SIZE) == 0);
        peer->folder = harness_make_folder();
        snprintf(peer->path, sizeof(peer->path), "%s/socket", peer->folder);
        memcpy(address.sun_path, peer->path, sizeof(peer->path));
        peer->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        must(peer->listener >= 0);
        must(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
        must(listen(peer->listener, 16) == 0);
        must(pthread_create(&peer->thread, NULL, run, peer) == 0);
}

void peer_start(struct peer *peer, void (*script)(struct peer *peer), const void *argument)
{
        peer_start_sized(peer, script, argument, PEER_CAPACITY);
}

void peer_stop(struct peer *peer)
{
        pthread_join(peer->thread, NULL);
        close(peer->listener);
        close(peer->memfd);
        arena_deinit(&peer->arena);
        harness_remove_folder(peer->folder);
}

filemem_session *peer_open(struct peer *peer)
{
        filemem_session *session = NULL;

        ck_assert_msg(filemem_open(peer->path, NULL, &session) == 0, "%s", filemem_open_error());
        return session;
}

void peer_reach(struct peer *peer, int step)
{
        atomic_store(&peer->step, step);
}

void peer_await(struct peer *peer, int step)
{
        while (atomic_load(&peer->step) < step)
                poll(NULL, 0, 1);
}

/* ---- for scripts ----------------------------------------------------------------------------- */

void peer_accept(struct peer *peer)
{
        peer->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        must(peer->fd >= 0);
}

void peer_hang_up(struct peer *peer)
{
        if (peer->fd >= 0)
                close(peer->fd);
        peer->fd = -1;
}

const Filemem__ToDaemon *peer_receive(struct peer *peer)
{
        static _Thread_local uint8_t packet[WIRE_MESSAGE_MAX];
        Filemem__ToDaemon *message;
        ssize_t n;

        do
                n = recv(peer->fd, packet, sizeof(packet), 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return NULL;
        arena_reset(&peer->arena);
        must(wire_decode_to_daemon(&peer->arena, packet, (size_t)n, &message) == 0);
        return message;
}

const Filemem__Request *peer_receive_request(struct peer *peer)
{
        const Filemem__ToDaemon *message = peer_receive(peer);

        must(message && message->body_case == FILEMEM__TO_DAEMON__BODY_REQUEST);
        must(message->request->n_operations == 1);
        return message->request;
}

void peer_send_bytes(struct peer *peer, const void *data, size_t size, const int *fds, size_t count)
{
        _Alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec bytes = {(void *)(uintptr_t)data, size};
        struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control};

        fdset_attach(&message, fds, count);
        /* The client may be gone, which is what some tests are about. */
        if (sendmsg(peer->fd, &message, MSG_NOSIGNAL) < 0)
                must(errno == EPIPE || errno == ECONNRESET);
}

void peer_send(struct peer *peer, const Filemem__ToClient *message, const int *fds, size_t count)
{
        static _Thread_local uint8_t packet[WIRE_MESSAGE_MAX];
        ssize_t size = wire_encode_to_client(message, packet);

        must(size > 0);
        peer_send_bytes(peer, packet, (size_t)size, fds, count);
}

void peer_fill_welcome(const struct peer *peer, Filemem__Welcome *welcome)
{
        filemem__welcome__init(welcome);
        welcome->major = 1;
        welcome->session = 4711;
        welcome->pool = (char *)(uintptr_t) "default";
        welcome->capacity = peer->capacity;
        welcome->size = PEER_CHUNK;
        welcome->page_size = PEER_PAGE;
        welcome->chunk_size = PEER_CHUNK;
        welcome->max_message = WIRE_MESSAGE_MAX;
        welcome->max_operations = WIRE_OPERATIONS_MAX;
        welcome->daemon_version = (char *)(uintptr_t) "peer";
}

void peer_send_welcome(struct peer *peer, Filemem__Welcome *welcome, const int *fds, size_t count)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;

        message.body_case = FILEMEM__TO_CLIENT__BODY_WELCOME;
        message.welcome = welcome;
        peer_send(peer, &message, fds, count);
}

void peer_greet(struct peer *peer)
{
        const Filemem__ToDaemon *hello;
        Filemem__Welcome welcome;

        peer_accept(peer);
        hello = peer_receive(peer);
        must(hello && hello->body_case == FILEMEM__TO_DAEMON__BODY_HELLO);
        must(hello->hello->major == 1);
        must(hello->hello->resumable);
        peer_fill_welcome(peer, &welcome);
        welcome.survives = peer->survives;
        peer_send_welcome(peer, &welcome, &peer->memfd, 1);
}

void peer_reply(struct peer *peer, uint64_t id, Filemem__Result *result)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Result empty = FILEMEM__RESULT__INIT;
        Filemem__Reply reply = FILEMEM__REPLY__INIT;

        if (!result)
                result = &empty;
        reply.id = id;
        reply.n_results = 1;
        reply.results = &result;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        peer_send(peer, &message, NULL, 0);
}

void peer_send_event(struct peer *peer, uint64_t request, Filemem__Status status, const char *text)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Event event = FILEMEM__EVENT__INIT;

        event.request = request;
        event.status = status;
        event.text = (char *)(uintptr_t)text;
        message.body_case = FILEMEM__TO_CLIENT__BODY_EVENT;
        message.event = &event;
        peer_send(peer, &message, NULL, 0);
}

void peer_send_goodbye(struct peer *peer, Filemem__Status status, const char *text)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Goodbye goodbye = FILEMEM__GOODBYE__INIT;

        goodbye.status = status;
        goodbye.text = (char *)(uintptr_t)text;
        if (status == FILEMEM__STATUS__STATUS_EPROTO) {
                goodbye.supported_major_min = 2;
                goodbye.supported_major_max = 3;
        }
        message.body_case = FILEMEM__TO_CLIENT__BODY_GOODBYE;
        message.goodbye = &goodbye;
        peer_send(peer, &message, NULL, 0);
}

void peer_acknowledge(struct peer *peer, uint64_t id)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Reply reply = FILEMEM__REPLY__INIT;

        reply.id = id;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        peer_send(peer, &message, NULL, 0);
}

void peer_send_resumed(struct peer *peer, uint64_t last_applied)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Resumed resumed = FILEMEM__RESUMED__INIT;

        resumed.last_applied = last_applied;
        message.body_case = FILEMEM__TO_CLIENT__BODY_RESUMED;
        message.resumed = &resumed;
        peer_send(peer, &message, NULL, 0);
}

void peer_await_resume(struct peer *peer)
{
        const Filemem__ToDaemon *message;

        do {
                message = peer_receive(peer);
                must(message);
        } while (message->body_case != FILEMEM__TO_DAEMON__BODY_RESUME);
}

void peer_serve(struct peer *peer)
{
        const Filemem__ToDaemon *message;

        peer_greet(peer);
        while ((message = peer_receive(peer))) {
                must(message->body_case == FILEMEM__TO_DAEMON__BODY_REQUEST);
                if (!message->request->operations[0]->no_reply)
                        peer_reply(peer, message->request->id, NULL);
        }
}
