// SPDX-License-Identifier: Apache-2.0
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

int channel_send(int socket, const void *packet, size_t size)
{
        struct iovec data = {(void *)packet, size};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

        while (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                if (errno == ECONNRESET)
                        return -EPIPE;
                if (errno != EINTR)
                        return -errno;
        }
        return 0;
}

ssize_t channel_receive(int socket, void *packet, size_t size, int flags, struct fdset *set)
{
        _Alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec data = {packet, size};
        bool reset = false;

        for (;;) {
                /* Without room for them the kernel drops descriptors itself and says so. */
                struct msghdr message = {
                        .msg_iov = &data,
                        .msg_iovlen = 1,
                        .msg_control = set ? control : NULL,
                        .msg_controllen = set ? sizeof(control) : 0,
                };
                ssize_t n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);

                if (n >= 0) {
                        if (set)
                                fdset_consume(set, &message);
                        /* Where descriptors belong it is said whether they came. */
                        if (!(message.msg_flags & (set ? MSG_TRUNC : MSG_TRUNC | MSG_CTRUNC)))
                                return n;
                        if (set)
                                fdset_close(set);
                        return -EPROTO;
                }
                /*
                 * A daemon that closes before it has read all is reported once, ahead of what it
                 * still said: its Goodbye is behind that.
                 */
                if (errno == ECONNRESET && !reset)
                        reset = true;
                else if (errno == ECONNRESET)
                        return 0;
                else if (errno != EINTR)
                        return -errno;
        }
}

void channel_poll(int socket, short events, int timeout)
{
        struct pollfd wanted = {.fd = socket, .events = events};

        /* Interrupted or not, the caller tries again and finds out. */
        (void)!poll(&wanted, 1, timeout);
}
