// SPDX-License-Identifier: Apache-2.0
/*
 * To be preloaded into a daemon: counts what it allocates between the recvmsg() that brings it a
 * message and its next sendmsg(), recvmsg() or epoll_wait(), in the file that $FILEMEM_ALLOCATIONS
 * names. See count_allocations.h.
 */
#include "support/count_allocations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own, behind the names that are taken here. */
void *__libc_malloc(size_t size);                     // NOLINT(bugprone-reserved-identifier)
void *__libc_calloc(size_t count, size_t size);       // NOLINT(bugprone-reserved-identifier)
void *__libc_realloc(void *memory, size_t size);      // NOLINT(bugprone-reserved-identifier)
void *__libc_memalign(size_t alignment, size_t size); // NOLINT(bugprone-reserved-identifier)

#define PRELOADED __attribute__((visibility("default")))

/* The C library calls the arguments something else. */
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)

static struct count_allocations *counts;
static _Thread_local bool handles_message;

__attribute__((constructor)) static void begin(void)
{
        const char *path = getenv(COUNT_ALLOCATIONS);
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *memory;

        if (fd < 0)
                abort();
        memory = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (memory == MAP_FAILED)
                abort();
        counts = memory;
}

static void count(void)
{
        if (!counts)
                return;
        atomic_fetch_add(&counts->all, 1);
        if (handles_message)
                atomic_fetch_add(&counts->handling, 1);
}

PRELOADED void *malloc(size_t size)
{
        count();
        return __libc_malloc(size);
}

PRELOADED void *calloc(size_t number, size_t size)
{
        count();
        return __libc_calloc(number, size);
}

PRELOADED void *realloc(void *memory, size_t size)
{
        count();
        return __libc_realloc(memory, size);
}

PRELOADED void *memalign(size_t alignment, size_t size)
{
        count();
        return __libc_memalign(alignment, size);
}

PRELOADED void *aligned_alloc(size_t alignment, size_t size)
{
        return memalign(alignment, size);
}

PRELOADED int posix_memalign(void **ret, size_t alignment, size_t size)
{
        void *memory = memalign(alignment, size);

        if (!memory)
                return ENOMEM;
        *ret = memory;
        return 0;
}

PRELOADED ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
        ssize_t size;

        handles_message = false;
        size = syscall(SYS_recvmsg, fd, message, flags);
        handles_message = size > 0 && !(flags & MSG_PEEK);
        if (handles_message)
                atomic_fetch_add(&counts->messages, 1);
        return size;
}

PRELOADED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
        handles_message = false;
        return syscall(SYS_sendmsg, fd, message, flags);
}

/* No answer is to come, or a later one. */
PRELOADED int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
        handles_message = false;
        return (int)syscall(SYS_epoll_pwait, fd, events, count, timeout, NULL, 0);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
