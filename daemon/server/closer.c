// SPDX-License-Identifier: Apache-2.0
#include "server/closer.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>

/* More packets fit into no socket buffer of usual size. */
#define DISCARD_MAX 4096

/* What goes through the pipe: a pipe needs neither a lock nor memory for each. */
struct order {
        int fd;
        bool discard;
};

struct closer {
        pthread_t thread;
        int orders[2];
        atomic_uint pending;
        atomic_uint begun; /* orders that the thread has begun */
        atomic_uint done;
        atomic_uint owners;  /* the thread is one: the last one frees */
        bool others_collect; /* lost sockets, not who closes one */
};

/* Whether this is Linux 6.9 at least. Of what has no such number, nothing is known. */
static bool is_collected_by_others(void)
{
        unsigned long major, minor;
        struct utsname name;
        char *end;

        if (uname(&name) < 0)
                return false;
        major = strtoul(name.release, &end, 10);
        minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
        return major > 6 || (major == 6 && minor >= 9);
}

/* With no room for control data the kernel drops descriptors instead of delivering them. */
static void discard_received(int fd)
{
        struct msghdr nothing = {0};

        for (int i = 0; i < DISCARD_MAX; i++) {
                if (recvmsg(fd, &nothing, MSG_DONTWAIT) >= 0) {
                        if (!(nothing.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                                return; /* the end of the stream */
                } else if (errno != EINTR && errno != ECONNRESET) {
                        return;
                }
        }
}

static void drop(struct closer *closer)
{
        if (atomic_fetch_sub(&closer->owners, 1) > 1)
                return;
        fd_close(closer->orders[0]);
        free(closer);
}

static void carry_out(const struct order *order)
{
        if (order->discard)
                discard_received(order->fd);
        fd_close(order->fd);
}

static void *run(void *context)
{
        struct closer *closer = context;
        struct order order;

        for (;;) {
                ssize_t size = read(closer->orders[0], &order, sizeof(order));

                if (size < 0 && errno == EINTR)
                        continue;
                if (size != sizeof(order))
                        break; /* the other end is closed: that was all */
                atomic_fetch_add(&closer->begun, 1);
                carry_out(&order);
                atomic_fetch_add(&closer->done, 1);
                atomic_fetch_sub_explicit(&closer->pending, 1, memory_order_relaxed);
        }
        drop(closer);
        return NULL;
}

static int start_thread(struct closer *closer)
{
        sigset_t all, before;
        int r;

        /* Signals are for the thread that runs the event loop. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&closer->thread, NULL, run, closer);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r == 0)
                pthread_setname_np(closer->thread, "closer");
        return -r;
}

/* The loop must not wait for the thread: its end of the pipe does not block. */
static int start(struct closer *closer)
{
        int r;

        if (pipe2(closer->orders, O_CLOEXEC) < 0)
                return -errno;
        r = fcntl(closer->orders[1], F_SETFL, O_NONBLOCK) < 0 ? -errno : start_thread(closer);
        if (r < 0) {
                fd_close(closer->orders[0]);
                fd_close(closer->orders[1]);
        }
        return r;
}

int closer_new(struct closer **ret)
{
        struct closer *closer = calloc(1, sizeof(*closer));
        int r;

        if (!closer)
                return -ENOMEM;
        atomic_init(&closer->owners, 2);
        closer->others_collect = is_collected_by_others();
        r = start(closer);
        if (r < 0) {
                free(closer);
                return r;
        }
        *ret = closer;
        return 0;
}

/* Waits for the thread's end, for a second at most. */
static bool join(const struct closer *closer)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        return pthread_timedjoin_np(closer->thread, NULL, &until) == 0;
}

struct closer *closer_free(struct closer *closer)
{
        unsigned begun;

        if (!closer)
                return NULL;
        fd_close(closer->orders[1]);
        do {
                begun = atomic_load(&closer->begun);
                if (join(closer)) {
                        drop(closer);
                        return NULL;
                }
                /* Where it was not let run, it is nobody's fault, and it will be. */
        } while (atomic_load(&closer->begun) != begun || atomic_load(&closer->done) == begun);
        pthread_detach(closer->thread);
        drop(closer);
        return NULL;
}

void closer_close(struct closer *closer, int fd, bool discard)
{
        const struct order order = {.fd = fd, .discard = discard};

        if (fd < 0)
                return;
        atomic_fetch_add_explicit(&closer->pending, 1, memory_order_relaxed);
        if (write(closer->orders[1], &order, sizeof(order)) == sizeof(order))
                return;
        /* Thousands wait already: better to be held up than to leak. */
        carry_out(&order);
        atomic_fetch_sub_explicit(&closer->pending, 1, memory_order_relaxed);
}

void closer_close_empty(struct closer *closer, int fd)
{
        if (closer->others_collect)
                fd_close(fd);
        else
                closer_close(closer, fd, false);
}

bool closer_is_busy(const struct closer *closer)
{
        return atomic_load_explicit(&closer->pending, memory_order_relaxed) > 0;
}
