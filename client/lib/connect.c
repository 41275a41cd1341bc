// SPDX-License-Identifier: Apache-2.0
#include "connect.h"

#include "deadline.h"
#include "filemem/filemem.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* The usual places, in their order. Returns 0 or -ENAMETOOLONG. */
static int find_path(const char *path, char *ret, size_t size)
{
        const char *folder = NULL;
        int n;

        if (!path)
                path = secure_getenv("FILEMEM_SOCKET");
        if (!path || !path[0])
                path = NULL;
        if (!path && geteuid() != 0)
                folder = secure_getenv("XDG_RUNTIME_DIR");
        if (folder && folder[0]) {
                n = snprintf(ret, size, "%s/filemem/filemem.sock", folder);
                if (n > 0 && (size_t)n < size && access(ret, F_OK) == 0)
                        return 0;
        }
        n = snprintf(ret, size, "%s", path ? path : FILEMEM_SOCKET_DEFAULT);
        return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static const char *explain(int error)
{
        switch (error) {
        case -ENOENT:
                return "no daemon runs there (there is no such socket)";
        case -ECONNREFUSED:
                return "no daemon runs there (nobody listens)";
        case -EACCES:
                return "you may not connect";
        case -ETIMEDOUT:
                return "the daemon did not answer in time";
        case -EPROTOTYPE:
                return "that is the socket of something else";
        default:
                return strerrordesc_np(-error);
        }
}

int connect_check(int fd)
{
        int domain = 0, type = 0, flags;
        socklen_t size = sizeof(int);

        flags = fcntl(fd, F_GETFL);
        if (flags < 0)
                return text_open_set(-EBADF, "%d is no open descriptor", fd);
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
                getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || domain != AF_UNIX ||
                type != SOCK_SEQPACKET)
                return text_open_set(-ENOTSOCK, "descriptor %d is no socket of a session", fd);
        if (fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return text_open_set(-errno, "descriptor %d cannot be used", fd);
        return 0;
}

/*
 * The descriptor that $FILEMEM_FD names. It is inherited, so it was not close-on-exec; that it is
 * now says that it was taken before, for a session says Hello once.
 */
static int take_inherited(const char *text)
{
        char *end;
        unsigned long number;
        int fd, flags, r;

        errno = 0;
        number = strtoul(text, &end, 10);
        if (errno || text[0] < '0' || text[0] > '9' || *end || number > INT_MAX)
                return text_open_set(-EBADF, "FILEMEM_FD is not the number of a descriptor");
        fd = (int)number;
        flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && flags & FD_CLOEXEC)
                return text_open_set(-EBUSY, "the session of FILEMEM_FD was opened already");
        r = connect_check(fd);
        return r < 0 ? r : fd;
}

/* Where many wait for the daemon to accept, connecting waits too. */
static void limit_wait(int fd, uint64_t deadline)
{
        int left = deadline_timeout(deadline);
        struct timeval time = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000L};

        if (left < 0)
                return;
        /* 0 would be without end. */
        if (left == 0)
                time.tv_usec = 1;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

int connect_path(const char *path, uint64_t deadline)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd, r;

        if (find_path(path, address.sun_path, sizeof(address.sun_path)) < 0)
                return text_open_set(-ENAMETOOLONG, "the path of the socket is too long");
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return text_open_set(
                        -errno, "no descriptor for a socket: %s", strerrordesc_np(errno));
        limit_wait(fd, deadline);
        /* A Unix socket that was interrupted has not begun to connect. */
        do
                r = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
                                                                                        : 0;
        while (r == -EINTR);
        if (r == -EAGAIN)
                r = -ETIMEDOUT;
        if (r < 0) {
                close(fd);
                return text_open_set(r, "%s: %s", address.sun_path, explain(r));
        }
        return fd;
}

int connect_inherited(int *ret)
{
        const char *text = secure_getenv("FILEMEM_FD");
        int r;

        if (!text || !text[0])
                return 0;
        r = take_inherited(text);
        if (r < 0)
                return r;
        *ret = r;
        return 1;
}
