// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/partner.h"
#include "bench/service.h"
#include "bench/statistics.h"

#include <errno.h>
#include <filemem/filemem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Scenario 11. The service and its floor take turns, so that both see the same machine. */

#define TURNS 10

/* ---- the floor: connect, get a descriptor, close -----------------------------------------------
 */

struct giver {
        char path[96];
        int listener;
        int fd; /* that is given */
};

/* Control data of one descriptor. */
union control {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
};

static void fill(struct msghdr *message, struct iovec *data, union control *control, char *byte)
{
        *data = (struct iovec){byte, 1};
        *message = (struct msghdr){
                .msg_iov = data,
                .msg_iovlen = 1,
                .msg_control = control->bytes,
                .msg_controllen = sizeof(control->bytes),
        };
}

static void give(int socket, int fd)
{
        union control control = {0};
        struct msghdr message;
        struct iovec data;
        char byte = 1;

        fill(&message, &data, &control, &byte);
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                .cmsg_type = SCM_RIGHTS,
                .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        (void)!sendmsg(socket, &message, MSG_NOSIGNAL);
}

/* Accepts, gives, and closes when the other side has closed: all by epoll, as the daemon does. */
static void give_to_all(int socket, void *argument)
{
        const struct giver *giver = argument;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = giver->listener};
        int epoll = epoll_create1(EPOLL_CLOEXEC);

        (void)socket;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, giver->listener, &event) < 0)
                return;
        for (;;) {
                int fd, count = epoll_wait(epoll, &event, 1, -1);

                /* Who was stopped for a while is interrupted. */
                if (count < 0 && errno == EINTR)
                        continue;
                if (count < 0)
                        return;
                if (event.data.fd != giver->listener) {
                        close(event.data.fd);
                        continue;
                }
                fd = accept4(giver->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                give(fd, giver->fd);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                        return;
        }
}

static int connect_to(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

        if (fd < 0)
                return -errno;
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
                return fd;
        r = -errno;
        close(fd);
        return r;
}

static int get_once(const char *path)
{
        union control control = {0};
        int socket = connect_to(path), fd, r = 0;
        struct msghdr message;
        struct iovec data;
        char byte;

        if (socket < 0)
                return socket;
        fill(&message, &data, &control, &byte);
        if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 ||
                message.msg_controllen < CMSG_LEN(sizeof(int))) {
                r = -EPROTO;
        } else {
                memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
                close(fd);
        }
        close(socket);
        return r;
}

static int giver_start(
        struct giver *giver, struct partner *partner, enum pinning pinning, const char *folder)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        snprintf(giver->path, sizeof(giver->path), "%s/floor", folder);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", giver->path);
        giver->fd = memfd_create("floor", MFD_CLOEXEC);
        giver->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (giver->fd < 0 || giver->listener < 0 ||
                bind(giver->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                listen(giver->listener, 16) < 0)
                return -errno;
        return partner_start(partner, pinning, give_to_all, giver);
}

static void giver_end(struct giver *giver, struct partner *partner)
{
        partner_end(partner);
        close(giver->listener);
        close(giver->fd);
        unlink(giver->path);
}

/* ---- both --------------------------------------------------------------------------------------
 */

static int open_once(const char *path)
{
        filemem_session *session;
        int r = filemem_open(path, NULL, &session);

        if (r == 0)
                filemem_close(session);
        return r;
}

static int repeat(int (*once)(const char *path), const char *path, uint64_t count, uint32_t *times,
        uint64_t *time)
{
        uint64_t before = clock_now(), first = before;

        for (uint64_t i = 0; i < count; i++) {
                int r = once(path);
                uint64_t now = clock_now();

                if (r < 0)
                        return r;
                if (times)
                        times[i] = statistics_time(before, now);
                before = now;
        }
        *time += before - first;
        return 0;
}

static int measure(struct report *report, enum pinning pinning, uint64_t n,
        const struct service *service, const struct giver *giver)
{
        uint32_t *times = calloc(n, sizeof(*times));
        uint64_t time = 0, floor = 0;
        int r = times ? 0 : -ENOMEM;

        for (uint64_t i = 0; r == 0 && i < TURNS; i++) {
                r = repeat(open_once, service->socket, n / TURNS, times + i * (n / TURNS), &time);
                if (r == 0)
                        r = repeat(get_once, giver->path, n / TURNS, NULL, &floor);
        }
        if (r == 0) {
                struct report_row *row = report_row(report, pinning_name(pinning), n);

                report_add(row, "ns_per_op", (double)time / (double)n);
                report_add(row, "p50_ns", statistics_percentile(times, n, 50));
                report_add(row, "p99_ns", statistics_percentile(times, n, 99));
                report_add(row, "floor_ns", (double)floor / (double)n);
        }
        free(times);
        return r;
}

static int run(struct report *report, enum pinning pinning, uint64_t n)
{
        struct partner partner = {0};
        struct giver giver = {.listener = -1, .fd = -1};
        struct service service;
        int r = service_start_pinned(&service, pinning, NULL);

        if (r < 0)
                return r;
        r = giver_start(&giver, &partner, pinning, service.folder);
        if (r == 0)
                r = measure(report, pinning, n, &service, &giver);
        giver_end(&giver, &partner);
        service_stop(&service);
        return r;
}

int connect_run(const struct scenario_sizes *sizes, struct report *report)
{
        return pinning_run_all(sizes, report, 2000, TURNS, run);
}
