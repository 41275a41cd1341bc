// SPDX-License-Identifier: Apache-2.0
#include "cksum/plumbing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

_Static_assert(sizeof(struct announcement) <= PIPE_BUF && sizeof(struct announcement) <= 256 &&
                       sizeof(struct task) <= 128 && sizeof(struct result) <= 128,
        "messages are small: see FILES_MAX");

int plumbing_make(struct plumbing *plumbing, unsigned workers)
{
        plumbing->workers = workers;
        if (pipe2(plumbing->announcements, O_CLOEXEC) < 0 ||
                pipe2(plumbing->receipts, O_CLOEXEC) < 0)
                return -errno;
        for (unsigned i = 0; i < workers; i++)
                if (pipe2(plumbing->tasks[i], O_CLOEXEC) < 0 ||
                        pipe2(plumbing->results[i], O_CLOEXEC) < 0)
                        return -errno;
        return 0;
}

void plumbing_close(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

void plumbing_keep_loader(struct plumbing *plumbing)
{
        plumbing_close(&plumbing->announcements[0]);
        plumbing_close(&plumbing->receipts[1]);
        for (unsigned i = 0; i < plumbing->workers; i++) {
                plumbing_close(&plumbing->tasks[i][0]);
                plumbing_close(&plumbing->results[i][0]);
                plumbing_close(&plumbing->results[i][1]);
        }
}

void plumbing_keep_worker(struct plumbing *plumbing, unsigned worker)
{
        plumbing_close(&plumbing->announcements[0]);
        plumbing_close(&plumbing->announcements[1]);
        plumbing_close(&plumbing->receipts[0]);
        for (unsigned i = 0; i < plumbing->workers; i++) {
                plumbing_close(&plumbing->tasks[i][1]);
                plumbing_close(&plumbing->results[i][0]);
                if (i == worker)
                        continue;
                plumbing_close(&plumbing->tasks[i][0]);
                plumbing_close(&plumbing->results[i][1]);
        }
}

void plumbing_keep_coordinator(struct plumbing *plumbing)
{
        plumbing_close(&plumbing->announcements[1]);
        plumbing_close(&plumbing->receipts[0]);
        for (unsigned i = 0; i < plumbing->workers; i++) {
                plumbing_close(&plumbing->tasks[i][0]);
                plumbing_close(&plumbing->results[i][1]);
        }
}

int plumbing_write(int fd, const void *message, size_t size)
{
        ssize_t n;

        do
                n = write(fd, message, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EPIPE ? 0 : -errno;
        return (size_t)n == size ? 1 : -EIO;
}

int plumbing_read(int fd, void *message, size_t size)
{
        ssize_t n;

        do
                n = read(fd, message, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if (n == 0)
                return 0;
        /* What was written whole is read whole. */
        return (size_t)n == size ? 1 : -EIO;
}
