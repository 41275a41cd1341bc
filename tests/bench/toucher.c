// SPDX-License-Identifier: Apache-2.0
#include "bench/toucher.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct order {
        struct range range;
        uint64_t step; /* bytes */
};

/* ---- in the other process, which is a fork of one with threads: system calls only --------------
 */

static int carry_out(int fd, const struct order *order)
{
        uint64_t length = order->range.end - order->range.start;
        volatile unsigned char *address = mmap(
                NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)order->range.start);

        if (address == MAP_FAILED)
                return -errno;
        for (uint64_t at = 0; at < length; at += order->step)
                address[at] = 1;
        return 0;
}

static void serve(int socket, int fd)
{
        struct order order;

        while (recv(socket, &order, sizeof(order), 0) == sizeof(order)) {
                int r = carry_out(fd, &order);

                if (send(socket, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r))
                        return;
        }
}

/* ---- in this one -------------------------------------------------------------------------------
 */

int toucher_start(struct toucher *toucher, int fd)
{
        int sockets[2];
        pid_t process;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        process = fork();
        if (process == 0) {
                close(sockets[0]);
                serve(sockets[1], fd);
                _exit(0);
        }
        fd_close(sockets[1]);
        if (process < 0) {
                int r = -errno;

                fd_close(sockets[0]);
                return r;
        }
        *toucher = (struct toucher){.process = process, .socket = sockets[0]};
        return 0;
}

int toucher_touch(struct toucher *toucher, struct range range, unsigned stride)
{
        struct order order = {range, stride * (uint64_t)sysconf(_SC_PAGESIZE)};
        int result;

        if (send(toucher->socket, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order))
                return -errno;
        if (recv(toucher->socket, &result, sizeof(result), 0) != sizeof(result))
                return -ECHILD; /* it died: most likely there is no memory left */
        return result;
}

void toucher_end(struct toucher *toucher)
{
        if (!toucher->process)
                return;
        close(toucher->socket); /* which ends it */
        while (waitpid(toucher->process, NULL, 0) < 0 && errno == EINTR) {
        }
        *toucher = (struct toucher){0};
}
