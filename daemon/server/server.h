// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"

#include <event2/event.h>

/*
 * The daemon as clients see it: accepts connections, keeps sessions, answers requests. It borrows
 * an event loop, the memory and the pool, and does all its work in that loop. Not thread safe.
 *
 * Its end has three steps, because a request may still be under way on a thread of the memory room:
 *
 *         server_close(server);
 *         memory_stop(memory);
 *         server_free(server);
 */
struct server;

/*
 * Takes over listen_fd, a listening SOCK_SEQPACKET socket, also when it fails. Returns 0 or a
 * negative errno.
 */
int server_new(struct event_base *base, int listen_fd, struct memory *memory, struct pool *pool,
        struct server **ret);

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
