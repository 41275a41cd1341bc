// SPDX-License-Identifier: Apache-2.0
#include "service/notify.h"

#include "base/cleanup.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int notify_fd = -1;

static int open_notify(void)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t length = path ? strlen(path) : 0;
        int fd;

        if (length < 2 || length >= sizeof(address.sun_path))
                return -ENOTCONN;
        memcpy(address.sun_path, path, length);
        if (path[0] == '@')
                address.sun_path[0] = 0;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
                int r = -errno;

                fd_close(fd);
                return r;
        }
        return fd;
}

int notify_send(const char *text, int fd)
{
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec part = {.iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text)};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t sent;

        if (notify_fd < 0) {
                notify_fd = open_notify();
                if (notify_fd < 0)
                        return notify_fd;
        }
        if (fd >= 0) {
                struct cmsghdr *header = (struct cmsghdr *)(void *)control;

                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(header), &fd, sizeof(int));
                message.msg_control = control;
                message.msg_controllen = sizeof(control);
        }
        do
                sent = sendmsg(notify_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        if (sent >= 0)
                return 0;
        if (errno == EAGAIN || errno == ENOBUFS)
                return -EAGAIN;
        sent = -errno;
        notify_fd = fd_close(notify_fd); /* systemd may have made another one */
        return (int)sent;
}

void notify_wait(int milliseconds)
{
        struct pollfd room = {.fd = notify_fd, .events = POLLOUT};

        (void)poll(&room, 1, milliseconds);
}

void notify_close(void)
{
        notify_fd = fd_close(notify_fd);
}
