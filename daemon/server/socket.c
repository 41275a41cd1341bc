// SPDX-License-Identifier: Apache-2.0
#include "server/socket.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Only another daemon that ends at this moment makes a second attempt necessary. */
#define LOCK_ATTEMPTS 16

static int fail(char error[SOCKET_ERROR_MAX], int r, const char *path, const char *what)
{
        snprintf(error, SOCKET_ERROR_MAX, "%s: %s", path, what);
        return r;
}

static int fail_errno(char error[SOCKET_ERROR_MAX], const char *path, const char *doing)
{
        int r = -errno;

        snprintf(error, SOCKET_ERROR_MAX, "%s: cannot %s: %s", path, doing, strerror(-r));
        return r;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_at(const char *path, const struct stat *ours)
{
        struct stat found;

        return lstat(path, &found) == 0 && same_file(&found, ours);
}

/* ---- the lock -------------------------------------------------------------------------------- */

/*
 * Returns the locked descriptor; -EAGAIN if the file was replaced in between; -EWOULDBLOCK is the
 * same number, so a lock that somebody has is -EADDRINUSE.
 */
static int try_lock(const char *path)
{
        cleanup_(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat ours;

        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
        if (fstat(fd, &ours) < 0)
                return -errno;
        if (!is_at(path, &ours))
                return -EAGAIN;
        return steal_fd(&fd);
}

static int take_lock(struct socket_file *file, char error[SOCKET_ERROR_MAX])
{
        int r = -EAGAIN;

        for (int i = 0; i < LOCK_ATTEMPTS && r == -EAGAIN; i++)
                r = try_lock(file->lock_path);
        if (r == -EADDRINUSE || r == -EAGAIN)
                return fail(error, -EADDRINUSE, file->path, "in use by another filememd");
        if (r < 0) {
                errno = -r;
                return fail_errno(error, file->lock_path, "lock");
        }
        file->lock = r;
        return 0;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* Returns 0 if nobody listens there, -EADDRINUSE if somebody does, or a negative errno. */
static int check_dead(const struct sockaddr_un *address)
{
        cleanup_(fd_closep) int fd =
                socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
                return -EADDRINUSE;
        switch (errno) {
        case ECONNREFUSED:
                return 0;
        case EAGAIN:     /* alive, and busy */
        case EPROTOTYPE: /* alive, and something else */
                return -EADDRINUSE;
        default:
                return -errno;
        }
}

/* What is in the way is removed if it is a socket and dead. */
static int clear_path(const struct sockaddr_un *address, char error[SOCKET_ERROR_MAX])
{
        const char *path = address->sun_path;
        struct stat found;
        int r;

        if (lstat(path, &found) < 0)
                return errno == ENOENT ? 0 : fail_errno(error, path, "look at it");
        if (!S_ISSOCK(found.st_mode))
                return fail(error, -ENOTSOCK, path, "exists and is no socket");
        r = check_dead(address);
        if (r == -EADDRINUSE)
                return fail(error, r, path, "in use: somebody listens there");
        if (r < 0) {
                errno = -r;
                return fail_errno(error, path, "find out whether it is in use");
        }
        if (unlink(path) < 0 && errno != ENOENT)
                return fail_errno(error, path, "remove the stale socket");
        return 0;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
        mode_t before = umask(0777 & ~mode);
        int r = bind(fd, (const struct sockaddr *)address, sizeof(*address));

        umask(before); /* leaves errno alone */
        return r;
}

static int listen_at(struct socket_file *file, const struct sockaddr_un *address, mode_t mode,
        int *ret_fd, char error[SOCKET_ERROR_MAX])
{
        cleanup_(fd_closep) int fd =
                socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return fail_errno(error, file->path, "make a socket");
        if (bind_with_mode(fd, address, mode) < 0)
                return fail_errno(error, file->path, "make the socket file");
        if (lstat(file->path, &file->socket) < 0)
                return fail_errno(error, file->path, "look at it");
        if (listen(fd, SOMAXCONN) < 0) {
                int r = fail_errno(error, file->path, "listen");

                unlink(file->path);
                return r;
        }
        *ret_fd = steal_fd(&fd);
        return 0;
}

int socket_open(const char *path, mode_t mode, struct socket_file *ret, int *ret_fd,
        char error[SOCKET_ERROR_MAX])
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct socket_file file = SOCKET_FILE_NONE;
        int r;

        if (!path[0])
                return fail(error, -EINVAL, "socket", "the path is empty");
        if (strlen(path) >= sizeof(address.sun_path))
                return fail(error, -ENAMETOOLONG, path,
                        "the path is too long for a socket (107 bytes)");
        strcpy(address.sun_path, path);
        file.path = strdup(path);
        if (!file.path || asprintf(&file.lock_path, "%s.lock", path) < 0) {
                free(file.path);
                return fail(error, -ENOMEM, path, "out of memory");
        }
        r = take_lock(&file, error);
        if (!r)
                r = clear_path(&address, error);
        if (!r)
                r = listen_at(&file, &address, mode, ret_fd, error);
        if (r < 0) {
                socket_close(&file);
                return r;
        }
        *ret = file;
        return 0;
}

void socket_close(struct socket_file *file)
{
        struct stat lock;

        /* The lock is the last to go: until then nobody else looks at the socket. */
        if (file->lock >= 0) {
                if (file->socket.st_ino && is_at(file->path, &file->socket))
                        unlink(file->path);
                if (fstat(file->lock, &lock) == 0 && is_at(file->lock_path, &lock))
                        unlink(file->lock_path);
        }
        fd_close(file->lock);
        free(file->lock_path);
        free(file->path);
        *file = SOCKET_FILE_NONE;
}
