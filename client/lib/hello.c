// SPDX-License-Identifier: Apache-2.0
#include "hello.h"

#include "channel.h"
#include "deadline.h"
#include "proto/arena.h"
#include "proto/status.h"
#include "proto/wire.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What is said and what comes, with the memory that it is decoded in: enough for an answer of that
 * size with all that later versions may add. A call has room for more, and is made later.
 */
#define GREETING_ARENA (12u << 10)

struct greeting {
        struct arena arena;
        size_t size; /* of the packet */
        Filemem__ToClient *decoded;
        uint8_t packet[WIRE_GREETING_MAX];
        _Alignas(max_align_t) unsigned char block[GREETING_ARENA];
};

static bool is_power_of_two(uint64_t number)
{
        return number && !(number & (number - 1));
}

/* A daemon that does not know what was asked for has ignored it. */
static int check_asked(const Filemem__Welcome *welcome, const struct filemem_options *options)
{
        if (options->read_only && !welcome->read_only)
                return text_open_set(-ENOSYS, "the daemon knows no sessions that only read");
        if (options->private_pool && !welcome->private_pool)
                return text_open_set(-ENOSYS, "the daemon knows no private pools");
        if (options->no_pool && welcome->capacity)
                return text_open_set(-ENOSYS, "the daemon knows no sessions without a pool");
        return 0;
}

/* The numbers alone. What the file really is comes after. */
static int check_welcome(const Filemem__Welcome *welcome, const struct filemem_options *options)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

        if (welcome->major != WIRE_MAJOR)
                return text_open_set(-EPROTO,
                        "the daemon speaks version %u of the protocol, not %u", welcome->major,
                        WIRE_MAJOR);
        if (!is_power_of_two(welcome->page_size) || welcome->page_size < page ||
                !is_power_of_two(welcome->chunk_size) || welcome->chunk_size < welcome->page_size)
                return text_open_set(-EPROTO, "the daemon's pages or chunks make no sense");
        if (welcome->capacity > INT64_MAX || (!welcome->capacity && !options->no_pool) ||
                welcome->capacity % welcome->page_size)
                return text_open_set(-EPROTO, "the daemon's capacity makes no sense");
        return check_asked(welcome, options);
}

/* A file that could shrink would be a SIGBUS for us: the seals are what we rely on. */
static int check_memfd(int fd, uint64_t capacity)
{
        const int needed = F_SEAL_SHRINK | F_SEAL_GROW;
        struct stat info;
        int seals;

        if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size < 0 ||
                (uint64_t)info.st_size != capacity)
                return text_open_set(-EPROTO, "the daemon's memory is not what it says");
        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || (seals & needed) != needed)
                return text_open_set(-EPROTO, "the daemon's memory is not sealed");
        return 0;
}

static int take_memfd(filemem_session *session, const Filemem__Welcome *welcome, struct fdset *fds)
{
        int r;

        if (fds->truncated)
                return text_open_set(-EMFILE, "this process has no descriptor left");
        if (fds->count != 1)
                return text_open_set(-EPROTO, "the daemon sent no memory");
        r = check_memfd(fds->fds[0], welcome->capacity);
        if (r == 0)
                session->memfd = fdset_steal(fds, 0);
        return r;
}

static int take_welcome(filemem_session *session, const struct filemem_options *options,
        const Filemem__Welcome *welcome, struct fdset *fds)
{
        int r = check_welcome(welcome, options);

        if (r == 0 && welcome->capacity)
                r = take_memfd(session, welcome, fds);
        if (r < 0)
                return r;
        session->read_only = welcome->read_only;
        session->id = welcome->session;
        session->capacity = welcome->capacity;
        session->page_size = welcome->page_size;
        session->chunk_size = welcome->chunk_size;
        session->huge_advise = welcome->huge_advise;
        session->survives = welcome->survives;
        return 0;
}

static int take_goodbye(const Filemem__Goodbye *goodbye)
{
        int r = -status_to_errno(goodbye->status);

        if (!r)
                r = -ECONNRESET;
        if (goodbye->supported_major_max)
                return text_open_set(r, "%s (it speaks %u to %u)", goodbye->text,
                        goodbye->supported_major_min, goodbye->supported_major_max);
        return text_open_set(r, "%s", goodbye->text[0] ? goodbye->text : "the daemon refused");
}

/* Resumed came instead of Welcome. */
#define HELLO_RESUMED 2

static int take_answer(filemem_session *session, const struct filemem_options *options,
        struct greeting *greeting, struct fdset *fds)
{
        arena_reset(&greeting->arena);
        if (wire_decode_to_client(
                    &greeting->arena, greeting->packet, greeting->size, &greeting->decoded) < 0)
                return text_open_set(-EPROTO, "what answers there is no filememd");
        switch (greeting->decoded->body_case) {
        case FILEMEM__TO_CLIENT__BODY_WELCOME:
                return take_welcome(session, options, greeting->decoded->welcome, fds);
        case FILEMEM__TO_CLIENT__BODY_GOODBYE:
                return take_goodbye(greeting->decoded->goodbye);
        case FILEMEM__TO_CLIENT__BODY_RESUMED:
                return HELLO_RESUMED;
        default:
                return text_open_set(-EPROTO, "what answers there is no filememd");
        }
}

/* As channel_receive(), or -ETIMEDOUT. */
static ssize_t receive_until(
        filemem_session *session, struct greeting *greeting, struct fdset *fds, uint64_t deadline)
{
        ssize_t n;

        if (deadline == DEADLINE_NONE)
                return channel_receive(
                        session->socket, greeting->packet, WIRE_GREETING_MAX, 0, fds);
        for (;;) {
                bool over = deadline_is_over(deadline);

                n = channel_receive(
                        session->socket, greeting->packet, WIRE_GREETING_MAX, MSG_DONTWAIT, fds);
                if (n != -EAGAIN)
                        return n;
                if (over)
                        return -ETIMEDOUT;
                channel_poll(session->socket, POLLIN, deadline_timeout(deadline));
        }
}

static int receive_answer(filemem_session *session, const struct filemem_options *options,
        struct greeting *greeting, uint64_t deadline)
{
        struct fdset fds = {.count = 0};
        ssize_t n = receive_until(session, greeting, &fds, deadline);
        int r;

        if (n == 0)
                return HELLO_CUT_OFF;
        if (n == -ETIMEDOUT)
                return text_open_set(-ETIMEDOUT, "the daemon did not answer in time");
        if (n == -EPROTO)
                return text_open_set(-EPROTO, "what answers there is no filememd");
        if (n < 0)
                return text_open_set((int)n, "receiving from the daemon failed");
        greeting->size = (size_t)n;
        r = take_answer(session, options, greeting, &fds);
        fdset_close(&fds);
        return r;
}

/*
 * Encodes Hello into the packet. Returns its size or a negative errno. What the program chose has
 * limits, so there is room.
 */
static ssize_t encode_hello(struct greeting *greeting, const struct filemem_options *options)
{
        Filemem__ToDaemon envelope = FILEMEM__TO_DAEMON__INIT;
        Filemem__Hello body = FILEMEM__HELLO__INIT;

        body.major = WIRE_MAJOR;
        body.minor = WIRE_MINOR;
        /* protobuf-c has no const; encoding does not write. */
        body.pool = (char *)(uintptr_t)(options->pool ? options->pool : "");
        body.label = (char *)(uintptr_t)(options->label ? options->label : "");
        body.read_only = options->read_only;
        body.private_pool = options->private_pool;
        body.no_pool = options->no_pool;
        body.resumable = true;
        envelope.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        envelope.hello = &body;
        return wire_encode_to_daemon(&envelope, greeting->packet);
}

static ssize_t encode_resume(struct greeting *greeting)
{
        Filemem__ToDaemon envelope = FILEMEM__TO_DAEMON__INIT;
        Filemem__Resume body = FILEMEM__RESUME__INIT;

        envelope.body_case = FILEMEM__TO_DAEMON__BODY_RESUME;
        envelope.resume = &body;
        return wire_encode_to_daemon(&envelope, greeting->packet);
}

/* Sends the packet. Returns 0 or a negative errno, with its sentence. */
static int say(
        filemem_session *session, const struct greeting *greeting, ssize_t size, uint64_t deadline)
{
        int r;

        if (size < 0)
                return text_open_set(-EINVAL, "pool or label is too long");
        while ((r = channel_send(session->socket, greeting->packet, (size_t)size)) == -EAGAIN) {
                if (deadline_is_over(deadline))
                        return text_open_set(-ETIMEDOUT, "the daemon did not answer in time");
                channel_poll(session->socket, POLLOUT, deadline_timeout(deadline));
        }
        /* A daemon that is full says so before it has read anything. */
        if (r < 0 && r != -EPIPE)
                return text_open_set(r, "sending to the daemon failed");
        return 0;
}

/* Returns as hello(). */
static int greet(filemem_session *session, const struct filemem_options *options,
        struct greeting *greeting, uint64_t deadline)
{
        int r = say(session, greeting, encode_hello(greeting, options), deadline);

        if (!r)
                r = receive_answer(session, options, greeting, deadline);
        /* The daemon died between keeping the session and saying Welcome. */
        while (r == HELLO_RESUMED) {
                r = say(session, greeting, encode_resume(greeting), deadline);
                if (!r)
                        r = say(session, greeting, encode_hello(greeting, options), deadline);
                if (!r)
                        r = receive_answer(session, options, greeting, deadline);
        }
        return r;
}

int hello(filemem_session *session, const struct filemem_options *options, uint64_t deadline)
{
        struct greeting *greeting = malloc(sizeof(*greeting));
        int r;

        if (!greeting)
                return text_open_set(-ENOMEM, "this process is out of memory");
        arena_init_in(&greeting->arena, greeting->block, sizeof(greeting->block));
        r = greet(session, options, greeting, deadline);
        free(greeting);
        return r;
}
