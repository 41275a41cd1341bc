// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Ownership that ends with its scope. A variable marked cleanup_(f) owns what it holds and gives it
 * up at the end of its scope, whichever way that is left; steal_ptr() and steal_fd() are the
 * visible words for handing it on. errno survives.
 */
#define cleanup_(function) __attribute__((cleanup(function)))

#define steal_ptr(pointer)                                                                         \
        __extension__({                                                                            \
                __auto_type steal_where_ = &(pointer);                                             \
                __auto_type steal_what_ = *steal_where_;                                           \
                *steal_where_ = NULL;                                                              \
                steal_what_;                                                                       \
        })

static inline int steal_fd(int *fd)
{
        int stolen = *fd;

        *fd = -1;
        return stolen;
}

/* Closes unless negative. Returns -1, to be stored where the descriptor was. */
static inline int fd_close(int fd)
{
        int saved = errno;

        if (fd >= 0)
                close(fd); /* on Linux the descriptor is gone also when close() says EINTR */
        errno = saved;
        return -1;
}

static inline void fd_closep(int *fd)
{
        *fd = fd_close(*fd);
}

static inline void freep(void *pointer)
{
        free(*(void **)pointer);
}
