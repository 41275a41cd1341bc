// SPDX-License-Identifier: Apache-2.0
#include "reload.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

static void *run(void *context)
{
        struct reload *reload = context;

        reload->result = config_load(reload->path, &reload->config, reload->error);
        check(eventfd_write(reload->fd, 1) == 0);
        return NULL;
}

static void tell(struct server_waiters *waiters, int result, const char *error)
{
        struct server_waiter *waiter;

        while ((waiter = STAILQ_FIRST(waiters))) {
                STAILQ_REMOVE_HEAD(waiters, link);
                waiter->done(waiter, result, error);
        }
}

static void say_busy(const struct reload *reload, bool busy)
{
        if (reload->on_busy)
                reload->on_busy(busy);
}

static void fail(struct reload *reload, int result)
{
        log_event(LOG_RELOAD_FAILED, log_nobody(), "the configuration was not read again: %s",
                reload->error);
        tell(&reload->waiting, result, reload->error);
}

static void start(struct reload *reload)
{
        sigset_t all, before;
        int r;

        STAILQ_CONCAT(&reload->waiting, &reload->next);
        reload->again = false;
        say_busy(reload, true);
        /* Signals are for the thread that runs the event loop. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&reload->thread, NULL, run, reload);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        reload->running = r == 0;
        if (r) {
                snprintf(reload->error, sizeof(reload->error), "cannot start a thread: %s",
                        strerror(r));
                fail(reload, -r);
                say_busy(reload, false);
                return;
        }
        pthread_setname_np(reload->thread, "reload");
}

static void join(struct reload *reload)
{
        check(pthread_join(reload->thread, NULL) == 0);
        reload->running = false;
}

static void on_finished(evutil_socket_t fd, short what, void *context)
{
        struct reload *reload = context;
        eventfd_t count;
        int r;

        (void)what;
        (void)eventfd_read(fd, &count);
        join(reload);
        r = reload->result;
        if (r == 0)
                r = reload->apply(reload->context, &reload->config, reload->error);
        if (r < 0) {
                fail(reload, r);
        } else {
                log_event(LOG_RELOADED, log_nobody(), "the configuration was read again");
                tell(&reload->waiting, 0, NULL);
        }
        say_busy(reload, false);
        if (reload->again)
                start(reload);
}

int reload_init(struct reload *reload, struct event_base *base, const char *path,
        int (*apply)(void *context, struct config *config, char error[CONFIG_ERROR_MAX]),
        void *context)
{
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0)
                return -errno;
        *reload = (struct reload){.fd = fd, .path = path, .apply = apply, .context = context};
        STAILQ_INIT(&reload->waiting);
        STAILQ_INIT(&reload->next);
        check(event_assign(
                      &reload->finished, base, fd, EV_READ | EV_PERSIST, on_finished, reload) == 0);
        if (event_add(&reload->finished, NULL) < 0) {
                reload->fd = fd_close(fd);
                return -ENOMEM;
        }
        return 0;
}

void reload_deinit(struct reload *reload)
{
        if (reload->fd < 0)
                return;
        if (reload->running) {
                join(reload);
                if (reload->result == 0)
                        config_deinit(&reload->config);
        }
        STAILQ_CONCAT(&reload->waiting, &reload->next);
        tell(&reload->waiting, -ECANCELED, "the daemon stops");
        event_del(&reload->finished);
        reload->fd = fd_close(reload->fd);
}

void reload_begin(struct reload *reload, struct server_waiter *waiter)
{
        if (waiter)
                STAILQ_INSERT_TAIL(&reload->next, waiter, link);
        if (reload->running)
                reload->again = true;
        else
                start(reload);
}
