// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "proto/arena.h"
#include "proto/wire.h"
#include "server/inbox.h"
#include "server/listener.h"
#include "server/pools.h"
#include "server/request.h"
#include "server/server.h"
#include "server/session.h"
#include "server/statistics.h"
#include "server/survival.h"
#include "server/trace.h"
#include "server/views.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the files of this room share: struct server. Everything in it belongs to the thread that
 * runs the loop.
 */

/*
 * What results may take until they are encoded. Proven: a reply has 64 KiB; an entry of a dump, the
 * thing that grows most, takes 8 bytes of it or more and 80 of memory, which makes 640 KiB; 256
 * usage reports with their lists take less than 200 KiB. Where it ends all the same an operation is
 * ENOMEM.
 */
#define SERVER_RESULTS_SIZE (1u << 20)

/*
 * Descriptors that are to be free when a message is received, so that whatever comes with it finds
 * numbers: a message brings up to 253.
 */
#define SERVER_FDS_SPARE 320

/* Where there are few at all, the daemon keeps this part for itself. */
#define SERVER_FDS_PART 8

struct server {
        struct event_base *base;
        struct memory *memory;
        struct limits limits;
        struct turns turns;
        uint64_t committed_at; /* clock_now() when all pools were asked for; 0: not yet */
        struct pools pools;
        struct survival survival;
        struct listener listener;
        struct closer *closer;
        struct inbox inbox;
        struct inbox departures;      /* of sessions whose holdings were released */
        struct event stopped;         /* when a stop is over, at the latest */
        struct session_list sessions; /* by ascending identity */
        struct session_list departed; /* ended, and not all released yet */
        struct session *listed;       /* where the last page of sessions ended; or NULL */
        uint64_t connections;         /* all in the list; each takes two descriptors */
        uint64_t open_sessions;       /* that said Hello */
        uint64_t kept_sessions;       /* that outlive the daemon */
        uint64_t fd_limit;            /* RLIMIT_NOFILE */
        uint64_t next_session;
        uint64_t arrivals;    /* grows with connections, and whenever one is read from */
        uint64_t accepted_at; /* of them, at the listener's last turn */
        unsigned rank;        /* the highest of the last ones, see busy_poll.h */
        uint64_t started_at;  /* clock_now() */
        uid_t uid;            /* of the daemon */
        bool stopping;
        struct server_statistics statistics;
        struct views views;
        struct tracer_list tracers; /* who watches what happens */
        uint64_t clock;             /* clock_now() when the message that is worked on was there */
        server_reload *reload;      /* NULL: there is nothing to be read again */
        void *reload_context;

        /*
         * One message at a time is worked on, so these serve all sessions, and the way of a message
         * through the daemon needs no malloc(). A request that waits for another thread has its
         * own.
         */
        struct arena decode;
        struct arena results;
        struct request request;
        struct pool_entry entries[WIRE_PAGE_MAX];
        struct pool_holding holdings[WIRE_PAGE_MAX];
        Filemem__SessionReport *found[WIRE_PAGE_MAX];
        gid_t groups[NGROUPS_MAX];
        uint8_t input[WIRE_MESSAGE_MAX];
        uint8_t output[WIRE_MESSAGE_MAX];
};

/* Whether descriptors are so few that messages have to be received with care: see
 * channel_receive(). */
bool server_is_careful(const struct server *server);

/* Whether a session may have the descriptor of this number, or it is one of those kept in reserve:
 * the kernel gives the lowest number that is free. */
bool server_has_descriptor(const struct server *server, int fd);

/* Something that clients number came, see server_take_rank(). */
void server_note_rank(struct server *server, uint64_t id);

/* The first session with an identity above this, or NULL. */
struct session *server_find_session_after(struct server *server, uint64_t after);

/* A session is there; a session is gone. The last one ends a stop. */
void server_keep_session(struct server *server, struct session *session);
void server_forget_session(struct server *server, struct session *session);
