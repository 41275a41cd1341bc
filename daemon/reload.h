// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.h"
#include "server/server.h"

#include <event2/event_struct.h>
#include <pthread.h>
#include <stdbool.h>

/*
 * Reads the configuration again while the daemon runs, on a thread of its own for as long as that
 * takes: files and the host's users may be slow, and the event loop waits for nobody. What was read
 * is applied in the loop. One reading at a time; who asks during one gets another one after it.
 * Belongs to the event loop.
 */
struct reload {
        struct event finished;
        int fd;           /* eventfd that the thread writes to */
        const char *path; /* for config_load(), borrowed */
        pthread_t thread;
        bool running;
        bool again; /* somebody asked meanwhile */
        struct server_waiters waiting;
        struct server_waiters next; /* that asked meanwhile */

        /* Takes a good configuration over. Returns 0, or a negative errno and one line in `error`.
         */
        int (*apply)(void *context, struct config *config, char error[CONFIG_ERROR_MAX]);
        void *context;

        /* A reading begins, and is over, whatever came of it; NULL: nobody is told. */
        void (*on_busy)(bool busy);

        /* The thread's, until it has finished. */
        int result;
        struct config config;
        char error[CONFIG_ERROR_MAX];
};

/* Returns 0 or a negative errno. */
int reload_init(struct reload *reload, struct event_base *base, const char *path,
        int (*apply)(void *context, struct config *config, char error[CONFIG_ERROR_MAX]),
        void *context);

/* Waits for a reading that is under way; whoever waits for one is told -ECANCELED. */
void reload_deinit(struct reload *reload);

/* Begins. waiter: who is told what came of it, or NULL. It is logged in any case. */
void reload_begin(struct reload *reload, struct server_waiter *waiter);
