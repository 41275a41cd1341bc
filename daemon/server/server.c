// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/busy_poll.h"
#include "server/closer.h"
#include "server/committed.h"
#include "server/state.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Connections and messages that came between two turns of the listener, in a loop that is busy. */
#define BUSY_ARRIVALS 16

/* How long a stop waits for clients to read their answers. */
static const struct timeval stop_patience = {.tv_sec = 2};

void server_note_rank(struct server *server, uint64_t id)
{
        unsigned rank = busy_poll_rank(id);

        if (rank > server->rank)
                server->rank = rank;
}

static void on_connection(void *context, int fd)
{
        struct server *server = context;

        server->arrivals++;
        server_note_rank(server, server->next_session);
        session_new(server, fd);
}

/* More than a client that opens sessions one after the other has come since the last one. */
static bool is_busy(void *context)
{
        struct server *server = context;
        bool busy = server->arrivals - server->accepted_at > BUSY_ARRIVALS;

        server->accepted_at = server->arrivals;
        return busy;
}

static const struct listener_user listener_user = {.accept = on_connection, .is_busy = is_busy};

/* The stop is over: nobody is left, or who is left had time enough. */
static void on_stopped(evutil_socket_t fd, short what, void *context)
{
        struct server *server = context;

        (void)fd;
        (void)what;
        if (server->connections > server->kept_sessions)
                log_event(LOG_REPLIES_UNREAD, log_nobody(),
                        "%llu sessions did not read their answers in time",
                        (unsigned long long)(server->connections - server->kept_sessions));
        event_base_loopbreak(server->base);
}

/* A destroyed pool has had time enough. */
static void on_expired(struct served *served)
{
        struct session *session, *next;
        struct server *server = (void *)((char *)served->pools - offsetof(struct server, pools));

        served_use(served); /* it outlasts its last session, for as long as this takes */
        for (session = TAILQ_FIRST(&server->sessions); session; session = next) {
                next = TAILQ_NEXT(session, link);
                if (session->served == served && !session->ended)
                        session_end(session, 0);
        }
        served_release(served);
}

/* Descriptors that are not for sessions. */
static uint64_t count_spare(uint64_t fd_limit)
{
        uint64_t part = fd_limit / SERVER_FDS_PART;

        return part < SERVER_FDS_SPARE ? part : SERVER_FDS_SPARE;
}

/* How many sessions there are descriptors for: two each, and some for everything else. */
static uint64_t count_sessions(uint64_t fd_limit)
{
        return (fd_limit - count_spare(fd_limit)) / 2;
}

/* Hands over what it makes one by one, so that server_free() serves every stage. */
static int start(struct server *server, const struct pools_config *config,
        const struct server_store *store, int listen_fd)
{
        cleanup_(fd_closep) int fd = listen_fd;
        int r;

        if (arena_init(&server->decode, WIRE_ARENA_SIZE) < 0 ||
                arena_init(&server->results, SERVER_RESULTS_SIZE) < 0)
                return -ENOMEM;
        r = limits_init(&server->limits, config->limits ? config->limits : &limits_defaults,
                count_sessions(server->fd_limit), session_wake);
        if (r < 0)
                return r;
        r = statistics_init(&server->statistics);
        if (r < 0)
                return r;
        r = closer_new(&server->closer);
        if (r < 0)
                return r;
        r = inbox_init(&server->inbox, server->base, request_receive);
        if (r < 0)
                return r;
        r = inbox_init(&server->departures, server->base, session_depart);
        if (r < 0)
                return r;
        r = survival_init(server, store);
        if (r < 0)
                return r;
        r = pools_configure(&server->pools, config);
        if (r < 0)
                return r;
        survival_settle(server);
        return listener_init(&server->listener, server->base, steal_fd(&fd), server->closer,
                &listener_user, server);
}

static uint64_t get_fd_limit(void)
{
        struct rlimit limit;

        return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}

static int keep_pool(struct served *served)
{
        return survival_keep_pool(
                (void *)((char *)served->pools - offsetof(struct server, pools)), served);
}

static void forget_pool(struct served *served)
{
        survival_forget_pool(
                (void *)((char *)served->pools - offsetof(struct server, pools)), served);
}

int server_new(struct event_base *base, int listen_fd, struct memory *memory,
        const struct pools_config *config, struct server **ret)
{
        return server_new_kept(base, listen_fd, memory, config, NULL, ret);
}

bool server_is_kept(const struct server *server)
{
        return server->survival.store;
}

int server_new_kept(struct event_base *base, int listen_fd, struct memory *memory,
        const struct pools_config *config, const struct server_store *store, struct server **ret)
{
        struct server *server = calloc(1, sizeof(*server));
        int r;

        if (!server) {
                fd_close(listen_fd);
                return -ENOMEM;
        }
        server->base = base;
        server->memory = memory;
        server->listener.fd = -1;
        server->inbox.fd = -1;
        server->departures.fd = -1;
        server->next_session = 1;
        server->started_at = clock_now();
        server->uid = geteuid();
        server->fd_limit = get_fd_limit();
        TAILQ_INIT(&server->sessions);
        TAILQ_INIT(&server->departed);
        evtimer_assign(&server->stopped, base, on_stopped, server);
        views_init(server);
        pools_init(&server->pools, base, memory, &server->limits, server->uid, on_expired);
        server->pools.keep = keep_pool;
        server->pools.forget = forget_pool;
        r = start(server, config, store, listen_fd);
        /* What was kept is to be as it was, and the process ends: nothing is freed then. */
        if (r < 0 && !server->survival.store)
                server_free(server);
        if (r < 0)
                return r;
        *ret = server;
        return 0;
}

int server_configure(struct server *server, const struct pools_config *config)
{
        int r;

        server->survival.patient = true; /* for new pools, which are few */
        r = pools_configure(&server->pools, config);
        server->survival.patient = false;
        if (r < 0)
                return r;
        limits_configure(&server->limits, config->limits ? config->limits : &limits_defaults);
        views_end(server);
        return 0;
}

void server_set_reload(struct server *server, server_reload *reload, void *context)
{
        server->reload = reload;
        server->reload_context = context;
}

struct pool *server_find_pool(struct server *server, const char *name)
{
        struct served *served = pools_find(&server->pools, name);

        return served ? served->pool : NULL;
}

void server_stop(struct server *server)
{
        struct session *session;

        if (server->stopping)
                return;
        server->stopping = true;
        listener_deinit(&server->listener);
        TAILQ_FOREACH (session, &server->sessions, link) {
                if (session->kept)
                        event_del(&session->readable);
                else if (!session->ended)
                        session_drain(session);
        }
        if (server->connections == server->kept_sessions ||
                event_add(&server->stopped, &stop_patience) < 0)
                event_active(&server->stopped, EV_TIMEOUT, 0);
}

bool server_has_descriptor(const struct server *server, int fd)
{
        return fd < 0 || (uint64_t)fd + count_spare(server->fd_limit) < server->fd_limit;
}

bool server_is_careful(const struct server *server)
{
        return closer_is_busy(server->closer) || 2 * server->connections + 3 * server->pools.count +
                                                                 server->views.count +
                                                                 SERVER_FDS_SPARE >
                                                         server->fd_limit;
}

struct session *server_find_session_after(struct server *server, uint64_t after)
{
        struct session *session = server->listed;

        /* Pages are asked for one after the other: begin where the last one ended. */
        if (!session || session->id > after)
                session = TAILQ_FIRST(&server->sessions);
        while (session && session->id <= after)
                session = TAILQ_NEXT(session, link);
        return session;
}

void server_keep_session(struct server *server, struct session *session)
{
        TAILQ_INSERT_TAIL(&server->sessions, session, link);
        server->connections++;
}

void server_forget_session(struct server *server, struct session *session)
{
        if (server->listed == session)
                server->listed = NULL;
        TAILQ_REMOVE(&server->sessions, session, link);
        server->connections--;
        if (server->stopping && server->connections == server->kept_sessions)
                event_active(&server->stopped, EV_TIMEOUT, 0);
}

uint64_t server_arrivals(const struct server *server)
{
        return server->arrivals;
}

unsigned server_take_rank(struct server *server)
{
        unsigned rank = server->rank;

        server->rank = 0;
        return rank;
}

void server_summary(struct server *server, struct server_summary *ret)
{
        committed_note_all(server);
        *ret = (struct server_summary){
                .sessions = server->open_sessions,
                .pools = server->pools.count,
                .held = server->limits.total->used[LIMIT_BYTES],
                .stored = server->limits.total->used[LIMIT_COMMITTED],
                .operations = server->statistics.operations,
        };
}

void server_close(struct server *server)
{
        struct session *session, *next;

        listener_deinit(&server->listener);
        for (session = TAILQ_FIRST(&server->sessions); session; session = next) {
                next = TAILQ_NEXT(session, link);
                if (!session->ended)
                        session_end(session, 0);
        }
}

struct server *server_free(struct server *server)
{
        if (!server)
                return NULL;
        server_close(server);
        if (server->inbox.fd >= 0) {
                inbox_receive(&server->inbox); /* the parked requests, which free their sessions */
                inbox_deinit(&server->inbox);
        }
        if (server->departures.fd >= 0) {
                struct session *session;

                inbox_receive(&server->departures);
                /* The rest of what they held goes with its pool. */
                while ((session = TAILQ_FIRST(&server->departed)))
                        session_depart(&session->departed);
                inbox_deinit(&server->departures);
        }
        views_deinit(server);
        pools_deinit(&server->pools);
        statistics_deinit(&server->statistics);
        limits_deinit(&server->limits);
        survival_deinit(server);
        event_del(&server->stopped);
        server->closer = closer_free(server->closer);
        arena_deinit(&server->results);
        arena_deinit(&server->decode);
        free(server);
        return NULL;
}
