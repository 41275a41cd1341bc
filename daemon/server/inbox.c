// SPDX-License-Identifier: Apache-2.0
#include "server/inbox.h"

#include "base/check.h"
#include "base/cleanup.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>

static void on_woken(evutil_socket_t fd, short what, void *context)
{
        (void)fd;
        (void)what;
        inbox_receive(context);
}

int inbox_init(
        struct inbox *inbox, struct event_base *base, void (*receive)(struct inbox_item *item))
{
        inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (inbox->fd < 0)
                return -errno;
        inbox->receive = receive;
        STAILQ_INIT(&inbox->items);
        lock_init(&inbox->lock, LOCK_INBOX);
        if (event_assign(&inbox->event, base, inbox->fd, EV_READ | EV_PERSIST, on_woken, inbox) <
                        0 ||
                event_add(&inbox->event, NULL) < 0) {
                lock_deinit(&inbox->lock);
                inbox->fd = fd_close(inbox->fd);
                return -ENOMEM;
        }
        return 0;
}

void inbox_deinit(struct inbox *inbox)
{
        check(STAILQ_EMPTY(&inbox->items));
        event_del(&inbox->event);
        lock_deinit(&inbox->lock);
        inbox->fd = fd_close(inbox->fd);
}

void inbox_post(struct inbox *inbox, struct inbox_item *item)
{
        const uint64_t one = 1;
        bool first;

        lock_take(&inbox->lock);
        first = STAILQ_EMPTY(&inbox->items);
        STAILQ_INSERT_TAIL(&inbox->items, item, link);
        lock_drop(&inbox->lock);
        /* The counter is read before the list is taken, so that one wake-up is never lost. */
        if (first)
                while (write(inbox->fd, &one, sizeof(one)) < 0 && errno == EINTR)
                        ;
}

void inbox_receive(struct inbox *inbox)
{
        struct inbox_list items = STAILQ_HEAD_INITIALIZER(items);
        uint64_t count;

        /* Nothing to read is fine: the list says what there is. */
        while (read(inbox->fd, &count, sizeof(count)) < 0 && errno == EINTR)
                ;
        lock_take(&inbox->lock);
        STAILQ_CONCAT(&items, &inbox->items);
        lock_drop(&inbox->lock);
        while (!STAILQ_EMPTY(&items)) {
                struct inbox_item *item = STAILQ_FIRST(&items);

                STAILQ_REMOVE_HEAD(&items, link);
                inbox->receive(item);
        }
}
