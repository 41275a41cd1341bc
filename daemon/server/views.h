// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "proto/filemem.pb-c.h"
#include "proto/page.h"
#include "server/access.h"
#include "server/slots.h"

#include <event2/event_struct.h>
#include <filemem/statistics.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * Who sees what of the statistics. A view is a page that the loop writes and others read; all whom
 * the kernel calls by the same uid, gid and groups share one, and so do the administrators. It
 * lasts as long as a session that asked for it, and ends when the configuration was read again: its
 * rules may be others then.
 *
 * Nobody can write to a page but the daemon: the file is sealed against writing and every change of
 * size after the daemon has mapped it, and it is given away opened for reading.
 *
 * While there is a view a timer brings all of them up to date. What it does in a turn is bounded,
 * whatever there is: of many sessions or pools some are written each time. With no view nothing is
 * done.
 */
#define VIEWS_MAX          32
#define VIEWS_USER_MAX     4
#define VIEWS_INTERVAL     (100 * NSEC_PER_MSEC)
#define VIEW_SESSIONS_ALL  16384
#define VIEW_SESSIONS_USER 1024
#define VIEW_POOLS         1024
#define VIEW_DURATIONS     64
#define VIEW_USERS         64 /* the last place is for the sum over others */

struct request;
struct server;
struct session;

struct view {
        LIST_ENTRY(view) link;
        struct identity identity; /* owns its groups */
        bool all;                 /* of administrators */
        uint64_t sessions;        /* that asked for it */
        int fd;                   /* for reading */
        struct page_header *page;
        size_t size;
};

struct views {
        LIST_HEAD(, view) list;
        size_t count;
        struct event timer;
        struct slots sessions; /* of all there are */
        size_t next_session;   /* place where the next turn begins */
        size_t next_pool;
        struct filemem_statistics_totals sum;  /* over the pools of this pass, so far */
        struct filemem_statistics_totals sums; /* over all, of the last one */
        uint64_t counts[VIEW_DURATIONS];       /* of the histograms that all views have */
        uint64_t users_at;                     /* when users were written */
        uint64_t users[VIEW_USERS - 1];        /* who is in which place: uid + 1; 0: nobody */
};

void views_init(struct server *server);
void views_deinit(struct server *server);

/*
 * Gives the session a view, up to date, if it has none. Returns 0, OUTCOME_STATISTICS_FULL, or a
 * negative errno.
 */
int views_open(struct session *session);

/* The session needs none any more. */
void views_close(struct session *session);

/* Ends all: whoever reads one has to ask again. */
void views_end(struct server *server);

/* The operation, as in rpc.h. The descriptor goes with the reply. */
int handle_statistics(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

/* ---- publish.c ------------------------------------------------------------------------------- */

/* The sections of a page. */
void publish_plan(bool all, struct page_plan plan[PAGE_SECTION_COUNT]);

/* Writes all that there is to be seen into a new view. */
void publish_first(struct server *server, struct view *view, uint64_t now);

/* A turn for all views. */
void publish_turn(struct server *server, uint64_t now);
