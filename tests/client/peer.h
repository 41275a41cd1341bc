// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"
#include "proto/arena.h"
#include "proto/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The other side of the library, in a thread, saying exactly what a test wants it to say: right,
 * wrong, or nothing. What goes wrong in that thread ends the test program.
 */
#define PEER_CAPACITY (UINT64_C(64) << 20)
#define PEER_CHUNK    (UINT64_C(16) << 20)
#define PEER_PAGE     UINT64_C(4096)

struct peer {
        char path[96];
        const char *folder;
        int listener;
        int fd;    /* the connection; -1: none */
        int memfd; /* sealed, of `capacity` bytes */
        uint64_t capacity;
        struct arena arena;
        pthread_t thread;
        void (*script)(struct peer *peer);
        const void *argument; /* for the script */
        bool survives;        /* says Welcome */
        atomic_int step;      /* how far the test has got, for the script to wait for */
};

/* Listens, and runs the script in a thread. capacity 0: PEER_CAPACITY. */
void peer_start(struct peer *peer, void (*script)(struct peer *peer), const void *argument);
void peer_start_sized(struct peer *peer, void (*script)(struct peer *peer), const void *argument,
        uint64_t capacity);

/* Waits for the end of the script and removes all. */
void peer_stop(struct peer *peer);

/* Opens a session with it; fails the test if that fails. */
filemem_session *peer_open(struct peer *peer);

/* The test says that it has got to `step`; the script waits until it has. */
void peer_reach(struct peer *peer, int step);
void peer_await(struct peer *peer, int step);

/* ---- for scripts ----------------------------------------------------------------------------- */

void peer_accept(struct peer *peer);
void peer_hang_up(struct peer *peer);

/* The next message; NULL at the end. Valid until the next call. */
const Filemem__ToDaemon *peer_receive(struct peer *peer);

/* The same, which has to be a Request of one operation. */
const Filemem__Request *peer_receive_request(struct peer *peer);

void peer_send_bytes(
        struct peer *peer, const void *data, size_t size, const int *fds, size_t count);
void peer_send(struct peer *peer, const Filemem__ToClient *message, const int *fds, size_t count);

/* A Welcome in which nothing is wrong. */
void peer_fill_welcome(const struct peer *peer, Filemem__Welcome *welcome);
void peer_send_welcome(struct peer *peer, Filemem__Welcome *welcome, const int *fds, size_t count);

/* Accepts, takes the Hello and answers as it should be. */
void peer_greet(struct peer *peer);

/* A Reply of one result; NULL: an empty one that is OK. */
void peer_reply(struct peer *peer, uint64_t id, Filemem__Result *result);
void peer_send_event(struct peer *peer, uint64_t request, Filemem__Status status, const char *text);
void peer_send_goodbye(struct peer *peer, Filemem__Status status, const char *text);

/* A Reply without results. */
void peer_acknowledge(struct peer *peer, uint64_t id);

/* As a daemon that was started again: says so, and discards what comes until Resume has. */
void peer_send_resumed(struct peer *peer, uint64_t last_applied);
void peer_await_resume(struct peer *peer);

/* Answers pings and all else with OK and an empty result until the client hangs up. */
void peer_serve(struct peer *peer);
