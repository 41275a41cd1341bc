// SPDX-License-Identifier: Apache-2.0
#include "server/channel.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "proto/fdset.h"
#include "server/closer.h"
#include "server/limits.h"

#include <poll.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

struct channel_packet {
        STAILQ_ENTRY(channel_packet) link;
        int fd;
        bool owned; /* the descriptor */
        size_t size;
        uint8_t data[];
};

void channel_init(struct channel *channel, int fd, struct closer *closer)
{
        channel->fd = fd;
        channel->closer = closer;
        channel->charge = NULL;
        channel->sent = false;
        channel->hung_up = channel->over = channel->shared = false;
        STAILQ_INIT(&channel->queue);
}

/* An empty packet and the end of the stream look alike to recvmsg(). */
static int receive_nothing(const struct channel *channel)
{
        struct pollfd poll_fd = {.fd = channel->fd, .events = POLLRDHUP};

        if (poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR))
                return -ESHUTDOWN;
        return OUTCOME_MESSAGE_EMPTY;
}

static ssize_t receive(int fd, struct msghdr *message, int flags)
{
        ssize_t size;

        do
                size = recvmsg(fd, message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (size < 0 && errno == EINTR);
        return size;
}

/*
 * Nothing more can be sent to it: whether all has been received, too. To recvmsg() the end looks
 * like an empty packet, which may have others behind it; but where credentials are asked for, every
 * packet has some, and there is no room for them. What it looks at stays where it is.
 */
static bool is_over(int fd)
{
        struct msghdr nothing = {0};
        int on = 1, off = 0;

        if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return false;
        if (receive(fd, &nothing, MSG_PEEK) == 0 && !(nothing.msg_flags & (MSG_CTRUNC | MSG_TRUNC)))
                return true;
        (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
        return false;
}

/* Whether descriptors come with the next packet, which stays where it is. */
static bool descriptors_come(int fd)
{
        struct msghdr nothing = {0};

        return receive(fd, &nothing, MSG_PEEK) >= 0 && nothing.msg_flags & MSG_CTRUNC;
}

static void refuse_descriptors(struct channel *channel, const struct msghdr *message)
{
        struct fdset fds;

        fdset_consume(&fds, message);
        for (size_t i = 0; i < fds.count; i++)
                closer_close(channel->closer, fdset_steal(&fds, i), false);
        fdset_close(&fds);
}

int channel_receive(struct channel *channel, bool careful, uint8_t *buffer, size_t *ret_size)
{
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec part = {.iov_base = buffer, .iov_len = WIRE_MESSAGE_MAX};
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control),
        };
        ssize_t size;

        if (channel->hung_up) {
                channel->hung_up = false;
                channel->over = is_over(channel->fd);
                if (channel->over)
                        return -ESHUTDOWN;
        }
        if (careful && descriptors_come(channel->fd))
                return OUTCOME_DESCRIPTOR_UNWANTED;
        size = receive(channel->fd, &message, 0);
        if (size < 0)
                return -errno;
        if (message.msg_controllen || message.msg_flags & MSG_CTRUNC) {
                refuse_descriptors(channel, &message);
                return OUTCOME_DESCRIPTOR_UNWANTED;
        }
        if (message.msg_flags & MSG_TRUNC)
                return OUTCOME_MESSAGE_TOO_LARGE;
        if (!size)
                return receive_nothing(channel);
        *ret_size = (size_t)size;
        return 0;
}

int channel_peek(struct channel *channel, uint8_t *buffer, size_t *ret_size)
{
        struct iovec part = {.iov_base = buffer, .iov_len = WIRE_MESSAGE_MAX};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t size = receive(channel->fd, &message, MSG_PEEK);

        if (size < 0)
                return -errno;
        if (size == 0 || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return 1;
        *ret_size = (size_t)size;
        return 0;
}

static int send_packet(int socket, const uint8_t *data, size_t size, int fd)
{
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t sent;

        if (fd >= 0) {
                memset(control, 0, sizeof(control));
                message.msg_control = control;
                message.msg_controllen = sizeof(control);
                fdset_attach(&message, &fd, 1);
        }
        do
                sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : 0;
}

/* What a packet takes of the daemon's memory while it waits. */
static size_t cost(size_t size)
{
        return sizeof(struct channel_packet) + size;
}

static void repay(struct channel *channel, size_t size)
{
        if (channel->charge)
                charge_set(channel->charge, LIMIT_REPLIES,
                        channel->charge->amounts[LIMIT_REPLIES] - cost(size));
}

/* Returns 0, OUTCOME_LIMIT_REPLIES or -ENOMEM. */
static int make_packet(struct channel *channel, size_t size, struct channel_packet **ret)
{
        int r = channel->charge ? charge_take(channel->charge, LIMIT_REPLIES, cost(size)) : 0;

        if (r)
                return r;
        *ret = malloc(cost(size));
        if (*ret)
                return 0;
        repay(channel, size);
        return -ENOMEM;
}

/* A descriptor that is owned is taken over, also when it fails. */
static int queue_packet(
        struct channel *channel, const uint8_t *data, size_t size, int fd, bool owned)
{
        struct channel_packet *packet;
        int r = make_packet(channel, size, &packet);

        if (r) {
                if (owned)
                        fd_close(fd);
                return r;
        }
        packet->fd = fd;
        packet->owned = owned;
        packet->size = size;
        memcpy(packet->data, data, size);
        STAILQ_INSERT_TAIL(&channel->queue, packet, link);
        return 0;
}

int channel_send(struct channel *channel, const uint8_t *data, size_t size, int fd)
{
        int r = -EAGAIN;

        channel->sent = true;
        if (!channel_blocked(channel))
                r = send_packet(channel->fd, data, size, fd);
        return r == -EAGAIN ? queue_packet(channel, data, size, fd, false) : r;
}

int channel_hand_over(struct channel *channel, const uint8_t *data, size_t size, int fd)
{
        int r = -EAGAIN;

        channel->sent = true;
        if (!channel_blocked(channel))
                r = send_packet(channel->fd, data, size, fd);
        if (r == -EAGAIN)
                return queue_packet(channel, data, size, fd, true);
        fd_close(fd);
        return r;
}

static void drop_first(struct channel *channel)
{
        struct channel_packet *packet = STAILQ_FIRST(&channel->queue);

        STAILQ_REMOVE_HEAD(&channel->queue, link);
        repay(channel, packet->size);
        if (packet->owned)
                fd_close(packet->fd);
        free(packet);
}

int channel_flush(struct channel *channel)
{
        while (channel_blocked(channel)) {
                const struct channel_packet *packet = STAILQ_FIRST(&channel->queue);
                int r = send_packet(channel->fd, packet->data, packet->size, packet->fd);

                if (r == -EAGAIN)
                        return 0;
                if (r < 0)
                        return r;
                drop_first(channel);
        }
        return 0;
}

bool channel_blocked(const struct channel *channel)
{
        return !STAILQ_EMPTY(&channel->queue);
}

void channel_drain(struct channel *channel)
{
        /* Fails only where the connection is gone already. */
        (void)shutdown(channel->fd, SHUT_RD);
}

void channel_note_hangup(struct channel *channel)
{
        channel->hung_up = true;
}

void channel_close(struct channel *channel)
{
        while (channel_blocked(channel))
                drop_first(channel);
        if (!channel->over || channel->shared)
                (void)shutdown(channel->fd, SHUT_RDWR);
        if (channel->over)
                closer_close_empty(channel->closer, steal_fd(&channel->fd));
        else
                closer_close(channel->closer, steal_fd(&channel->fd), true);
}
