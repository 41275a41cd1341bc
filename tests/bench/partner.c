// SPDX-License-Identifier: Apache-2.0
#include "bench/partner.h"

#include "base/clock.h"
#include "bench/statistics.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKET_MAX 4096

int partner_start(struct partner *partner, enum pinning pinning,
        void (*run)(int socket, void *argument), void *argument)
{
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        partner->process = fork();
        if (partner->process < 0) {
                close(ends[0]);
                close(ends[1]);
                return -EAGAIN;
        }
        if (partner->process == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(ends[0]);
                pinning_enter_other(pinning);
                run(ends[1], argument);
                _exit(0);
        }
        close(ends[1]);
        partner->socket = ends[0];
        return 0;
}

void partner_end(struct partner *partner)
{
        if (partner->process <= 0)
                return;
        close(partner->socket);
        kill(partner->process, SIGKILL);
        waitpid(partner->process, NULL, 0);
        partner->process = 0;
}

int partner_tell(struct partner *partner, char order)
{
        char answer;

        if (send(partner->socket, &order, 1, MSG_NOSIGNAL) < 0)
                return -errno;
        return recv(partner->socket, &answer, 1, 0) == 1 ? 0 : -EPIPE;
}

static void echo(int socket, void *argument)
{
        struct epoll_event event = {.events = EPOLLIN};
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        uint8_t packet[PACKET_MAX];

        (void)argument;
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) < 0)
                return;
        while (epoll_wait(epoll, &event, 1, -1) >= 0) {
                ssize_t n = recv(socket, packet, sizeof(packet), MSG_DONTWAIT);

                if (n == 0 || (n > 0 && send(socket, packet, (size_t)n, MSG_NOSIGNAL) < 0))
                        return;
        }
}

int partner_start_echo(struct partner *partner, enum pinning pinning)
{
        return partner_start(partner, pinning, echo, NULL);
}

int partner_ping(struct partner *partner, size_t size, unsigned in_flight, uint64_t rounds,
        uint32_t *times, uint64_t *ret)
{
        uint64_t start = clock_now(), before = start, sent = 0;
        uint8_t packet[PACKET_MAX];

        memset(packet, 1, size);
        for (uint64_t got = 0; got < rounds; got++) {
                uint64_t now;

                for (; sent < rounds && sent - got < in_flight; sent++)
                        if (send(partner->socket, packet, size, MSG_NOSIGNAL) < 0)
                                return -errno;
                if (recv(partner->socket, packet, sizeof(packet), 0) != (ssize_t)size)
                        return -EPIPE;
                now = clock_now();
                if (times)
                        times[got] = statistics_time(before, now);
                before = now;
        }
        *ret = before - start;
        return 0;
}
