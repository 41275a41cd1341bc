// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "server/server.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What the daemon does now and then for who watches it: it tells systemd's watchdog that it is
 * alive, and what `systemctl status` shows, and says in the log how much was left out of it. It
 * runs in the event loop, so that a loop that hangs says nothing; and the watchdog is told nothing
 * while a thread of the memory is stuck.
 */

/* ---- whether the threads get anywhere: no clock, no side effects ----------------------------- */

struct watch_thread {
        uint64_t steps; /* at `since`, */
        uint64_t since; /* when it last was known to be well */
        bool stuck;
};

/*
 * What is seen of a thread at `now`. It is stuck when it has had work, and counted no step, for
 * `limit` ns; from the next step on it is not. Returns whether `stuck` has changed.
 */
bool watch_thread_look(struct watch_thread *thread, const struct memory_progress *progress,
        uint64_t now, uint64_t limit);

/* ---- in the loop ----------------------------------------------------------------------------- */

struct watch {
        struct event timer;
        struct event again;    /* for a ping that systemd could not be told */
        struct memory *memory; /* borrowed, as the server */
        struct server *server;
        bool service;       /* systemd started us */
        uint64_t watchdog;  /* ns in which systemd wants to hear of us; 0: it does not */
        uint64_t interval;  /* of the timer, ns */
        uint64_t status_at; /* when the status line was last written */
        struct watch_thread threads[MEMORY_THREADS];
        bool running;
};

/*
 * Begins, when the daemon serves. service: systemd started us, and is told READY=1 with the first
 * status line. Returns 0 or -ENOMEM.
 */
int watch_start(struct watch *watch, struct event_base *base, struct memory *memory,
        struct server *server, bool service);

/* One that did not start is fine. */
void watch_stop(struct watch *watch);

/* The line of `systemctl status`. */
#define WATCH_STATUS_MAX 256
void watch_format_status(const struct server_summary *summary, char text[WATCH_STATUS_MAX]);
