// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

/*
 * The socket file of a daemon that nobody handed a socket, and the lock beside it (PATH.lock),
 * which keeps two daemons apart that start at the same moment. A socket file that nobody listens
 * at, left by a daemon that died, is replaced; one that somebody listens at never is, nor is what
 * is no socket.
 */
struct socket_file {
        char *path;
        char *lock_path;
        int lock;           /* descriptor, locked; -1: there is no file of ours */
        struct stat socket; /* which inode is ours; the lock is asked for its own */
};

#define SOCKET_FILE_NONE ((struct socket_file){.lock = -1})

/* Room for a sentence about what went wrong, a path included. */
#define SOCKET_ERROR_MAX 512

/*
 * Listens at `path`. The file has exactly the rights `mode` from its first moment on; this changes
 * the umask for that moment, so call it while there is one thread. Returns 0 and the listening
 * socket (SOCK_SEQPACKET, non-blocking), or a negative errno and in `error` one line that says why.
 */
int socket_open(const char *path, mode_t mode, struct socket_file *ret, int *ret_fd,
        char error[SOCKET_ERROR_MAX]);

/* Removes both files if they are still ours, and frees. */
void socket_close(struct socket_file *file);
