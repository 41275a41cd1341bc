// SPDX-License-Identifier: Apache-2.0
#include "server/listener.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "server/closer.h"
#include "server/goodbye.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define LISTENER_TURN 16 /* connections in one turn of a busy loop */

/* How long to leave a socket alone that cannot be accepted from and has no reserve to answer with.
 */
static const struct timeval listener_pause = {.tv_usec = 100000};

static int open_reserve(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_one(const struct listener *listener)
{
        return accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void pause_listening(struct listener *listener, int error)
{
        log_event(LOG_ACCEPT_FAILED, log_nobody(), "cannot accept connections, trying again: %s",
                strerror(error));
        event_del(&listener->readable);
        if (event_add(&listener->pause, &listener_pause) < 0)
                event_add(&listener->readable, NULL); /* to spin is better than to be deaf */
}

/* Returns 0 if the client was told. */
static int refuse_one(struct listener *listener)
{
        struct channel channel;
        int fd;

        listener->reserve = fd_close(listener->reserve);
        fd = accept_one(listener);
        if (fd < 0)
                return -errno;
        channel_init(&channel, fd, listener->closer);
        goodbye_send(&channel, OUTCOME_DAEMON_FULL);
        channel_close(&channel);
        log_event(LOG_CONNECTION_REFUSED, log_nobody(), "refused a connection: %s",
                error_text(OUTCOME_DAEMON_FULL));
        listener->reserve = open_reserve();
        return 0;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
        struct listener *listener = context;
        int turn = listener->user->is_busy(listener->context) ? LISTENER_TURN : 1;

        (void)fd;
        (void)what;
        for (int i = 0; i < turn; i++) {
                int r, connection;

                /* The connection that was refused last may not have been closed at once. Whoever is
                 * accepted before there is a reserve again would take its place. */
                if (listener->reserve < 0)
                        listener->reserve = open_reserve();
                if (listener->reserve < 0) {
                        pause_listening(listener, errno);
                        return;
                }
                connection = accept_one(listener);
                if (connection >= 0) {
                        listener->user->accept(listener->context, connection);
                        continue;
                }
                r = -errno;
                if (r == -EAGAIN)
                        return;
                if (r == -EINTR || r == -ECONNABORTED)
                        continue;
                if (r == -EMFILE || r == -ENFILE)
                        r = refuse_one(listener);
                if (r == -EAGAIN || r == -ECONNABORTED)
                        r = 0; /* it went away in between */
                if (r < 0) {
                        pause_listening(listener, -r);
                        return;
                }
        }
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
        struct listener *listener = context;

        (void)fd;
        (void)what;
        if (listener->reserve < 0)
                listener->reserve = open_reserve();
        if (event_add(&listener->readable, NULL) < 0)
                event_add(&listener->pause, &listener_pause);
}

int listener_init(struct listener *listener, struct event_base *base, int fd, struct closer *closer,
        const struct listener_user *user, void *context)
{
        int flags = fcntl(fd, F_GETFL), r = 0;

        *listener = (struct listener){
                .fd = fd,
                .closer = closer,
                .user = user,
                .context = context,
        };
        listener->reserve = open_reserve();
        if (listener->reserve < 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                r = -errno;
        else if (event_assign(&listener->readable, base, fd, EV_READ | EV_PERSIST, on_readable,
                         listener) < 0 ||
                 evtimer_assign(&listener->pause, base, on_pause_over, listener) < 0 ||
                 event_add(&listener->readable, NULL) < 0)
                r = -ENOMEM;
        if (r < 0) {
                listener->reserve = fd_close(listener->reserve);
                listener->fd = fd_close(listener->fd);
        }
        return r;
}

void listener_deinit(struct listener *listener)
{
        if (listener->fd < 0)
                return;
        event_del(&listener->readable);
        event_del(&listener->pause);
        listener->reserve = fd_close(listener->reserve);
        /* What connections that were never accepted were sent goes with it. */
        closer_close(listener->closer, steal_fd(&listener->fd), false);
}
