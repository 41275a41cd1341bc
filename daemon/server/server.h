// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "server/pools.h"

#include <event2/event.h>

/*
 * The daemon as clients see it: accepts connections, keeps pools and sessions, answers requests. It
 * borrows an event loop and the memory, and does all its work in that loop. Not thread safe.
 *
 * Its end has three steps, because a request may still be under way on a thread of the memory room:
 *
 *         server_close(server);
 *         memory_stop(memory);
 *         server_free(server);
 */
struct server;

/*
 * Where descriptors outlive the daemon, under names. What was kept comes back in `kept`, each
 * descriptor to be taken over; all of it is borrowed until the server is freed.
 */
#define SERVER_NAME_MAX 16

struct server_kept {
        char name[SERVER_NAME_MAX];
        int fd;
};

struct server_store {
        uint64_t maximum; /* descriptors */
        bool refuse;      /* sessions, when it is full; else they do not survive */

        /* Return 0; -EAGAIN: not now; or another negative errno. Never wait. */
        int (*put)(const char *name, int fd);
        int (*remove)(const char *name);

        /* Waits until the store may take more, and not longer than that. */
        void (*wait)(int milliseconds);

        struct server_kept *kept;
        size_t count;
};

/*
 * Makes the pools of the configuration, and takes over listen_fd, a listening SOCK_SEQPACKET
 * socket, also when it fails. Returns 0 or a negative errno.
 */
int server_new(struct event_base *base, int listen_fd, struct memory *memory,
        const struct pools_config *config, struct server **ret);

/*
 * The same for a daemon that may be started again: it goes on with the sessions and pools that were
 * kept. store: NULL: there is none. Returns -EPROTONOSUPPORT if a newer daemon kept them, and then
 * they are as they were.
 */
int server_new_kept(struct event_base *base, int listen_fd, struct memory *memory,
        const struct pools_config *config, const struct server_store *store, struct server **ret);

/*
 * Whether there is a store. Then the process is to end, after the loop, without another word: what
 * it leaves is what a crash leaves, and who takes it over needs nothing else.
 */
bool server_is_kept(const struct server *server);

/* pools_configure(): a new configuration while the server runs. */
int server_configure(struct server *server, const struct pools_config *config);

/* Who waits for the configuration to be read again. */
struct server_waiter {
        STAILQ_ENTRY(server_waiter) link;
        /* error: one line if result is not 0. Called once, in the loop's thread. */
        void (*done)(struct server_waiter *waiter, int result, const char *error);
};

STAILQ_HEAD(server_waiters, server_waiter);

/*
 * What an administrator's Reload does: begins to read the configuration again. The waiter is the
 * reader's until it calls `done`, which it has to do before server_free().
 */
typedef void server_reload(void *context, struct server_waiter *waiter);
void server_set_reload(struct server *server, server_reload *reload, void *context);

/* The daemon in a few numbers; bytes. Asks the kernel for the size of each pool (fstat). */
struct server_summary {
        uint64_t sessions; /* that said Hello */
        uint64_t pools;
        uint64_t held;   /* by all sessions: what two of them hold counts for both */
        uint64_t stored; /* by the kernel, in RAM and swap, for all pools */
        uint64_t operations;
};

void server_summary(struct server *server, struct server_summary *ret);

/*
 * For whoever runs the loop and polls, see proto/busy_poll.h: a number that grows when something
 * comes from clients; and the highest rank of what came since the last call.
 */
uint64_t server_arrivals(const struct server *server);
unsigned server_take_rank(struct server *server);

/* For tests: the pool of that name, borrowed; NULL if there is none. */
struct pool *server_find_pool(struct server *server, const char *name);

/*
 * Begins a graceful stop: accepts nothing more, answers every message that was sent already and
 * every request that is under way, then ends the sessions and breaks the loop. Clients that do not
 * read their answers are waited for no longer than 2 s. Once more is fine.
 */
void server_stop(struct server *server);

/* Stops listening and ends every session that has no request under way. Outside the loop. */
void server_close(struct server *server);

/* Ends what is left and frees. The threads of the memory have to be stopped. NULL is fine. */
struct server *server_free(struct server *server);
