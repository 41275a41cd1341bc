// SPDX-License-Identifier: Apache-2.0
#include "guard.h"

#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define AGE_MAX 60 /* s */

static const struct timeval interval = {.tv_sec = 5};

struct guard {
        struct event *timer;
        struct {
                uint64_t cookie; /* the kernel's name of the connection; 0: none */
                time_t since;
        } seen[HTTP_FDS_MAX];
};

static time_t get_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec;
}

static int get_option(int fd, int option)
{
        socklen_t size = sizeof(int);
        int value;

        return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

/* The kernel's name of a connection that came from outside; 0 if the descriptor is none. */
static uint64_t get_connection(int fd)
{
        socklen_t size = sizeof(uint64_t);
        uint64_t cookie;

        if (get_option(fd, SO_PROTOCOL) != IPPROTO_TCP || get_option(fd, SO_ACCEPTCONN) != 0 ||
                getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0)
                return 0;
        return cookie;
}

static void on_interval(evutil_socket_t unused, short what, void *context)
{
        struct guard *guard = context;
        time_t now = get_now();

        (void)unused;
        (void)what;
        for (int fd = 0; fd < HTTP_FDS_MAX; fd++) {
                uint64_t cookie = get_connection(fd);

                if (cookie != guard->seen[fd].cookie) {
                        guard->seen[fd].cookie = cookie;
                        guard->seen[fd].since = now;
                } else if (cookie && now - guard->seen[fd].since > AGE_MAX) {
                        shutdown(fd, SHUT_RDWR); /* libevent sees that, and closes it */
                }
        }
}

int guard_new(struct event_base *base, struct guard **ret)
{
        struct guard *guard = calloc(1, sizeof(*guard));

        if (!guard)
                return -ENOMEM;
        guard->timer = event_new(base, -1, EV_PERSIST, on_interval, guard);
        if (!guard->timer || event_add(guard->timer, &interval) < 0) {
                guard_free(guard);
                return -ENOMEM;
        }
        *ret = guard;
        return 0;
}

void guard_free(struct guard *guard)
{
        if (!guard)
                return;
        if (guard->timer)
                event_free(guard->timer);
        free(guard);
}
