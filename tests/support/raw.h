// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/arena.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A client without the library: says exactly what a test wants it to, right or wrong. Unless a
 * function says that it returns an error, errors fail the test; so does an answer that takes too
 * long.
 */
struct raw {
        int fd;
        int memfd; /* from Welcome; -1 before */
        int peer;  /* what came with the last PeerOpened or StatisticsPage; -1: none, or taken */
        uint64_t session;
        uint64_t capacity;
        uint64_t next_id; /* of the next request */
        struct arena arena;
};

/* Connects and says nothing. raw_try_connect() returns 0 or a negative errno. */
void raw_connect(struct raw *raw, const char *path);
int raw_try_connect(struct raw *raw, const char *path);

/* Says Hello on a connection and takes the Welcome. */
void raw_hello(struct raw *raw, const char *label);

/* Says a Hello of the caller's making, and returns the answer, whatever it is. */
const Filemem__ToClient *raw_greet(struct raw *raw, const Filemem__Hello *hello);

/* A client on a socket that it got from somebody, which is taken over. Says nothing. */
void raw_adopt(struct raw *raw, int fd);

/* Connects and says Hello. */
void raw_open(struct raw *raw, const char *path, const char *label);

void raw_close(struct raw *raw);

/* ---- sending --------------------------------------------------------------------------------- */

/* One packet, with descriptors. Waits for room. Returns 0 or a negative errno. */
int raw_send_bytes(struct raw *raw, const void *data, size_t size, const int *fds, size_t count);

/* The same of a message. The first returns an error, the second fails. */
int raw_try_send(struct raw *raw, const Filemem__ToDaemon *message);
void raw_send(struct raw *raw, const Filemem__ToDaemon *message);

void raw_send_hello(struct raw *raw, uint32_t major, const char *pool, const char *label);

/* An operation with room for what it has in it. */
struct raw_operation {
        Filemem__Operation operation;
        union {
                Filemem__Ping ping;
                Filemem__Allocate allocate;
                Filemem__Range range;
                Filemem__Decommit decommit;
                Filemem__Usage usage;
                Filemem__UpdateUsage update_usage;
                Filemem__PoolInfo pool_info;
                Filemem__DaemonStatus daemon_status;
                Filemem__Sessions sessions;
                Filemem__Dump dump;
                Filemem__OpenPeer open_peer;
                Filemem__Pools pools;
                Filemem__DestroyPool destroy_pool;
                Filemem__KickSession kick_session;
                Filemem__Reload reload;
                Filemem__Limits limits;
                Filemem__Statistics statistics;
        } body;
};

void raw_ping(struct raw_operation *operation);
void raw_allocate(struct raw_operation *operation, uint64_t length, int kind);
void raw_incref(struct raw_operation *operation, uint64_t start, uint64_t end);
void raw_decref(struct raw_operation *operation, uint64_t start, uint64_t end);
void raw_decommit(struct raw_operation *operation, uint64_t start, uint64_t end, bool shared);
void raw_usage(struct raw_operation *operation);
void raw_update_usage(struct raw_operation *operation);
void raw_pool_info(struct raw_operation *operation);
void raw_daemon_status(struct raw_operation *operation);
void raw_sessions(struct raw_operation *operation, uint64_t after, uint32_t limit);
void raw_dump(struct raw_operation *operation, uint64_t from, uint32_t limit);
void raw_open_peer(struct raw_operation *operation, bool read_only, const char *label);
void raw_pools(struct raw_operation *operation, uint64_t after, uint32_t limit);
void raw_destroy_pool(struct raw_operation *operation, const char *pool);
void raw_kick_session(struct raw_operation *operation, uint64_t session);
void raw_reload(struct raw_operation *operation);
void raw_limits(struct raw_operation *operation);
void raw_statistics(struct raw_operation *operation);

/* A request of up to 300 operations. Returns its id; the second returns 0 or a negative errno. */
uint64_t raw_request(struct raw *raw, struct raw_operation *operations, size_t count);
int raw_try_request(struct raw *raw, struct raw_operation *operations, size_t count);

/* ---- receiving ------------------------------------------------------------------------------- */

/* The next message; valid until the next call. NULL at the end of the connection. */
const Filemem__ToClient *raw_receive(struct raw *raw);

/* The same, which must be a Reply to the request of that id, or a Goodbye. */
const Filemem__Reply *raw_receive_reply(struct raw *raw, uint64_t id);
const Filemem__Goodbye *raw_receive_goodbye(struct raw *raw);

/* The connection ends, and nothing came before. */
void raw_receive_end(struct raw *raw);

/* Whether something is there to be received, or the connection has ended. */
bool raw_is_readable(struct raw *raw);

/* ---- both ------------------------------------------------------------------------------------ */

/* A request of one operation and its result. The second fails unless it is OK. */
const Filemem__Result *raw_call(struct raw *raw, struct raw_operation *operation);
const Filemem__Result *raw_do(struct raw *raw, struct raw_operation *operation);

/* Allocates and returns where. */
uint64_t raw_get(struct raw *raw, uint64_t length, int kind);

/* All of the dump, page by page, in memory to be freed. */
size_t raw_dump_all(struct raw *raw, Filemem__DumpEntry **ret);

/* Waits until nothing freed is left to be given back. */
void raw_settle(struct raw *raw);
