// SPDX-License-Identifier: Apache-2.0
#include "service/store.h"

#include "base/cleanup.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

uint64_t service_store_maximum(void)
{
        const char *text = getenv("FDSTORE");
        char *end;
        unsigned long long count;

        if (!text || !getenv("NOTIFY_SOCKET") || text[0] < '0' || text[0] > '9')
                return 0;
        errno = 0;
        count = strtoull(text, &end, 10);
        return errno || *end ? 0 : count;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* sd_notify() waits for systemd to read; this socket does not. */
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

static int notify_fd = -1;

/* fd: to go with it, or -1. */
static int notify(const char *text, int fd)
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

int service_store_put(const char *name, int fd)
{
        char text[64];

        snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
        return notify(text, fd);
}

int service_store_remove(const char *name)
{
        char text[64];

        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
        return notify(text, -1);
}

void service_store_wait(int milliseconds)
{
        struct pollfd room = {.fd = notify_fd, .events = POLLOUT};

        (void)poll(&room, 1, milliseconds);
}

/* ---- at the start ---------------------------------------------------------------------------- */

/* Ours are a letter and lower-case digits; that of a socket unit has a dot, or is no such thing. */
static bool is_kept(const char *name, int fd)
{
        size_t length = strlen(name);

        if (!strchr("spj", name[0]) || length >= SERVICE_NAME_MAX ||
                strspn(name + 1, "0123456789abcdefghijklmnopqrstuvwxyz") != length - 1)
                return false;
        return sd_is_socket(fd, AF_UNSPEC, 0, 1) <= 0;
}

static int take_listening(int fd, int *ret)
{
        int r = sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0);

        if (r < 0)
                return r;
        if (r == 0)
                return -EPROTOTYPE;
        if (*ret >= 0)
                return -E2BIG;
        *ret = fd;
        return 0;
}

static void free_names(char **names, int count)
{
        for (int i = 0; i < count; i++)
                free(names[i]);
        free(names);
}

int service_take_all(int *ret_listen_fd, struct service_kept **ret, size_t *ret_count)
{
        char **names = NULL;
        struct service_kept *kept;
        int count = sd_listen_fds_with_names(1, &names), listen_fd = -1, r = 0;
        size_t n = 0;

        if (count < 0)
                return count;
        kept = calloc((size_t)count + 1, sizeof(*kept));
        if (!kept)
                r = -ENOMEM;
        for (int i = 0; r == 0 && i < count; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                if (!is_kept(names[i], fd)) {
                        r = take_listening(fd, &listen_fd);
                        continue;
                }
                strcpy(kept[n].name, names[i]);
                kept[n++].fd = fd;
        }
        free_names(names, count);
        if (r < 0) {
                free(kept);
                return r;
        }
        *ret_listen_fd = listen_fd;
        *ret = kept;
        *ret_count = n;
        return 0;
}
