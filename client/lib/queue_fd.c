// SPDX-License-Identifier: Apache-2.0
#include "queue.h"
#include "text.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * One descriptor for two things: the socket, from which nobody may be receiving, and an event for
 * what another thread has received. What the socket is watched for changes: for room only while
 * something is unsent, and for nothing when it has ended, for an end is readable for ever.
 */

static int control(int epoll, int operation, int fd, uint32_t events)
{
        struct epoll_event event = {.events = events};

        return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

/* Makes `epoll` and `event`. Returns 0 or a negative errno. */
static int make(filemem_queue *queue)
{
        int epoll = epoll_create1(EPOLL_CLOEXEC), event, r;

        if (epoll < 0)
                return -errno;
        event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (event < 0) {
                r = -errno;
                close(epoll);
                return r;
        }
        r = control(epoll, EPOLL_CTL_ADD, event, EPOLLIN);
        if (r == 0)
                r = control(epoll, EPOLL_CTL_ADD, queue->session->socket, 0);
        if (r < 0) {
                close(event);
                close(epoll);
                return r;
        }
        queue->epoll = epoll;
        queue->event = event;
        queue->watched = 0;
        return 0;
}

void queue_fd_close(filemem_queue *queue)
{
        if (queue->epoll < 0)
                return;
        close(queue->epoll);
        close(queue->event);
        queue->epoll = queue->event = -1;
}

void queue_fd_watch(filemem_queue *queue)
{
        const filemem_session *session = queue->session;
        uint32_t events = EPOLLIN;

        if (queue->epoll < 0)
                return;
        if (session->failure)
                events = 0;
        else if (session->unsent || session->resume)
                events |= EPOLLOUT;
        if (events == queue->watched)
                return;
        /* Without any event a hang-up would still be told. */
        if (events)
                (void)control(queue->epoll, EPOLL_CTL_MOD, session->socket, events);
        else
                (void)control(queue->epoll, EPOLL_CTL_DEL, session->socket, 0);
        queue->watched = events;
}

void queue_fd_signal(filemem_queue *queue)
{
        const uint64_t one = 1;

        if (queue->epoll < 0 || queue->signalled)
                return;
        queue->signalled = true;
        (void)!write(queue->event, &one, sizeof(one));
}

void queue_fd_clear(filemem_queue *queue)
{
        uint64_t count;

        if (!queue->signalled)
                return;
        queue->signalled = false;
        (void)!read(queue->event, &count, sizeof(count));
}

/* The caller holds the lock. */
static int open_fd(filemem_queue *queue)
{
        int r = queue->epoll < 0 ? make(queue) : 0;

        if (r < 0)
                return text_set(queue->session, r, "no descriptor for a queue");
        queue_fd_watch(queue);
        if (!TAILQ_EMPTY(&queue->completed) || queue_is_any_lost(queue))
                queue_fd_signal(queue);
        return queue->epoll;
}

int filemem_queue_fd(filemem_queue *queue)
{
        return queue_do(queue, open_fd);
}
