// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/lock.h"

#include <event2/event_struct.h>
#include <sys/queue.h>

/*
 * What other threads have for the event loop. They put items into a list; an eventfd wakes the
 * loop, which hands each item to `receive`, in the order in which they were posted.
 */
struct inbox_item {
        STAILQ_ENTRY(inbox_item) link;
};

STAILQ_HEAD(inbox_list, inbox_item);

struct inbox {
        /* owned by the loop */
        struct event event;
        int fd;
        void (*receive)(struct inbox_item *item);

        /* shared */
        struct lock lock;
        struct inbox_list items;
};

/* Returns 0 or a negative errno. */
int inbox_init(
        struct inbox *inbox, struct event_base *base, void (*receive)(struct inbox_item *item));

/* No thread may post any more, and the inbox has to be empty. */
void inbox_deinit(struct inbox *inbox);

/* From any thread. The item belongs to the inbox until it is received. */
void inbox_post(struct inbox *inbox, struct inbox_item *item);

/* Receives what is there now. In the loop this happens by itself. */
void inbox_receive(struct inbox *inbox);
