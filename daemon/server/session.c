// SPDX-License-Identifier: Apache-2.0
#include "server/session.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "memory/survive.h"
#include "server/goodbye.h"
#include "server/greeting.h"
#include "server/request.h"
#include "server/session_parts.h"
#include "server/state.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* What one session may have done in one turn of the loop before the others have theirs. */
#define SESSION_TURN_MESSAGES   16
#define SESSION_TURN_OPERATIONS WIRE_OPERATIONS_MAX

/* ---- sending --------------------------------------------------------------------------------- */

/* Until it has said Hello there is a time for that; but a peer is opened for who comes later.
 * Returns as event_add(). */
static int start_reading(struct session *session)
{
        uint64_t timeout = session->server->limits.options.hello_timeout;
        const struct timeval patience = {
                .tv_sec = (time_t)(timeout / NSEC_PER_SEC),
                .tv_usec = (suseconds_t)(timeout % NSEC_PER_SEC / 1000),
        };

        bool waits = session->greeted || session->parent || !timeout;

        return event_add(&session->readable, waits ? NULL : &patience);
}

/*
 * A session that is not read from does not notice that its client has gone, if the client has sent
 * its own end of the connection along: what nobody receives keeps it open. So a client has this
 * long to take an answer, whatever it has left in the queue.
 */
static const struct timeval session_patience = {.tv_sec = 60};

/* At the end of the daemon what outlives it waits for the next one. */
static bool is_paused(const struct session *session)
{
        return session->waits_for_store || (session->server->stopping && session->kept);
}

/* Reads only when nothing waits to be sent or to be done: what a client costs stays bounded. */
int session_choose_events(struct session *session)
{
        bool blocked = channel_blocked(&session->channel);
        int r = 0;

        if (blocked || session->parked || session->waiter.account || is_paused(session))
                r |= event_del(&session->readable);
        else if (!event_pending(&session->readable, EV_READ, NULL))
                r |= start_reading(session);
        /* While it waits nobody reads, and the end of the connection would not be seen. */
        if (!session->parked)
                r |= event_del(&session->hangup);
        else if (!event_pending(&session->hangup, EV_CLOSED, NULL))
                r |= event_add(&session->hangup, NULL);
        if (!blocked)
                r |= event_del(&session->writable);
        else if (!event_pending(&session->writable, EV_WRITE, NULL))
                r |= event_add(&session->writable, &session_patience);
        return r < 0 ? -ENOMEM : 0;
}

int session_send(struct session *session, const Filemem__ToClient *message, int fd)
{
        uint8_t *output = session->server->output;
        ssize_t size = wire_encode_to_client(message, output);

        check(size > 0); /* whatever makes a message keeps it below the limit */
        return channel_send(&session->channel, output, (size_t)size, fd);
}

int session_hand_over(struct session *session, const Filemem__ToClient *message, int fd)
{
        uint8_t *output = session->server->output;
        ssize_t size = wire_encode_to_client(message, output);

        check(size > 0);
        return channel_hand_over(&session->channel, output, (size_t)size, fd);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static int handle_request(struct session *session, const Filemem__Request *request)
{
        if (!session->greeted)
                return OUTCOME_HELLO_MISSING;
        if (session->kept && request->id <= session->answered)
                return 0; /* it was sent again, and is done */
        session->requests++;
        return request_handle(session, request);
}

static int receive_packet(struct session *session, size_t *ret_size)
{
        struct server *server = session->server;

        return channel_receive(
                &session->channel, server_is_careful(server), server->input, ret_size);
}

/*
 * A Hello stays where it is until it is answered: so it can be answered later, when the store takes
 * more; and a peer's, which may come before and after the daemon is started again, is not lost.
 */
static int receive_hello(struct session *session, size_t *ret_size, bool *ret_stays)
{
        int r = 1;

        if (session->server->survival.store)
                r = channel_peek(&session->channel, session->server->input, ret_size);
        *ret_stays = r == 0;
        return r > 0 ? receive_packet(session, ret_size) : r;
}

/* Whether it is the one that says Hello again, because it may not have got its Welcome. */
static bool is_unsure(const struct session *session)
{
        return session->kept && session->opened_at < session->server->started_at &&
               !session->answered && !session->once && !session->requests;
}

static int handle_hello(struct session *session, const Filemem__Hello *hello, bool stays)
{
        size_t size;
        int r;

        if (session->greeted)
                return is_unsure(session) ? greeting_repeat(session) : OUTCOME_HELLO_TWICE;
        r = greeting_answer(session, hello);
        if (r == 0 && stays)
                r = receive_packet(session, &size);
        crash_point();
        if (r == -EAGAIN)
                survival_wait(session);
        return r;
}

/* What was sent to the daemon before this one, or is sent before the client knows. */
static int discard_message(struct session *session)
{
        struct server *server = session->server;
        Filemem__ToDaemon *message;
        size_t size;
        int r = receive_packet(session, &size);

        if (r)
                return r > 0 ? 0 : r;
        arena_reset(&server->decode);
        if (wire_decode_to_daemon(&server->decode, server->input, size, &message) == 0 &&
                message->body_case == FILEMEM__TO_DAEMON__BODY_RESUME)
                session->resuming = false;
        return 0;
}

/* Returns 0, an outcome or a negative errno as channel_receive(): all but 0 and -EAGAIN end it. */
static int receive_message(struct session *session, size_t *ret_operations)
{
        struct server *server = session->server;
        Filemem__ToDaemon *message;
        bool stays = false;
        size_t size;
        int r;

        if (session->resuming)
                return discard_message(session);
        r = session->greeted ? receive_packet(session, &size)
                             : receive_hello(session, &size, &stays);
        if (r)
                return r;
        crash_point();
        arena_reset(&server->decode);
        if (wire_decode_to_daemon(&server->decode, server->input, size, &message) < 0)
                return OUTCOME_MESSAGE_MALFORMED;
        switch (message->body_case) {
        case FILEMEM__TO_DAEMON__BODY_HELLO:
                *ret_operations = 1;
                return handle_hello(session, message->hello, stays);
        case FILEMEM__TO_DAEMON__BODY_REQUEST:
                *ret_operations = message->request->n_operations;
                return handle_request(session, message->request);
        case FILEMEM__TO_DAEMON__BODY_RESUME:
                return session->kept ? 0 : OUTCOME_MESSAGE_EMPTY;
        default:
                return OUTCOME_MESSAGE_EMPTY;
        }
}

static int take_turn(struct session *session)
{
        size_t operations = 0;

        for (int i = 0; i < SESSION_TURN_MESSAGES && operations < SESSION_TURN_OPERATIONS; i++) {
                size_t more = 0;
                int r;

                if (charge_wait(&session->charge, &session->waiter))
                        return session_choose_events(session);
                r = receive_message(session, &more);
                if (r == -EAGAIN)
                        return session->waits_for_store ? session_choose_events(session) : 0;
                if (r)
                        return r;
                if (channel_blocked(&session->channel) || session->parked)
                        return session_choose_events(session);
                operations += more;
        }
        return 0;
}

bool session_begin_turn(struct session *session, uint64_t *ret_now)
{
        if (!turns_take(&session->server->turns, &session->charge.accounts[LIMITS_USER]->share,
                    &session->mark))
                return false;
        *ret_now = session->server->clock = clock_now();
        return true;
}

void session_end_turn(struct session *session, uint64_t began_at)
{
        turns_spend(&session->charge.accounts[LIMITS_USER]->share, clock_now() - began_at);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
        struct session *session = context;
        uint64_t now;
        int r;

        (void)fd;
        if (!session_begin_turn(session, &now))
                return; /* it stays readable */
        session->activity.active_at = now;
        r = take_turn(session);
        session_end_turn(session, now);
        if (!r && what & EV_TIMEOUT && !session->greeted && !session->waiter.account)
                r = OUTCOME_HELLO_LATE;
        if (r)
                session_end(session, r > 0 || r == -ENOMEM ? r : 0);
        else
                charge_wake(&session->charge);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
        struct session *session = context;
        int r = what & EV_TIMEOUT ? -ETIMEDOUT : channel_flush(&session->channel);

        (void)fd;
        if (r == -ETIMEDOUT)
                log_event(LOG_SESSION_ENDED, session_about(session),
                        "ended session %llu (process %d, user %u): it took no answer for 60 s",
                        (unsigned long long)session->id, (int)session->pid, session->uid);
        if (!r)
                r = session_choose_events(session);
        if (r)
                session_end(session, 0);
}

/*
 * Nobody waits for the parked request any more, unless it is only the client's end for sending that
 * was closed. What else it sent is done all the same: others may see what came of it.
 */
static void on_hangup(evutil_socket_t fd, short what, void *context)
{
        struct pollfd end = {.fd = fd};
        struct session *session = context;

        (void)what;
        event_del(&session->hangup);
        if (poll(&end, 1, 0) == 1 && end.revents & (POLLHUP | POLLERR))
                request_cancel(session->parked);
}

struct log_about session_about(const struct session *session)
{
        return (struct log_about){
                .session = session->id,
                .pool = session->served ? served_name(session->served) : NULL,
                .uid = session->uid,
                .pid = session->pid,
        };
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void on_death(evutil_socket_t fd, short what, void *context)
{
        struct session *session = context;

        (void)fd;
        (void)what;
        log_event(LOG_PROCESS_DIED, session_about(session), "session %llu: process %d died",
                (unsigned long long)session->id, (int)session->pid);
        session_end(session, 0);
}

/* Returns 0, OUTCOME_DAEMON_FULL, or a negative errno if the process is dead already. */
static int identify_peer(struct session *session)
{
        struct ucred credentials;
        socklen_t size = sizeof(credentials);
        int fd = session->channel.fd;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return -errno;
        session->pid = credentials.pid;
        session->uid = credentials.uid;
        session->gid = credentials.gid;
        size = sizeof(session->process);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &session->process, &size) == 0)
                return 0;
        session->process = -1;
        if (errno == ENOPROTOOPT)
                return 0; /* an older kernel: the hang-up has to do */
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? OUTCOME_DAEMON_FULL : -errno;
}

int session_watch(struct session *session)
{
        struct event_base *base = session->server->base;
        int fd = session->channel.fd, r;

        r = event_assign(&session->readable, base, fd, EV_READ | EV_PERSIST, on_readable, session);
        r |= event_assign(
                &session->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, session);
        r |= event_assign(&session->hangup, base, fd, EV_CLOSED | EV_PERSIST, on_hangup, session);
        r |= event_assign(&session->death, base, session->process, EV_READ, on_death, session);
        check(r == 0);
        if (session->process >= 0 && event_add(&session->death, NULL) < 0)
                return OUTCOME_DAEMON_FULL;
        if (start_reading(session) < 0) {
                event_del(&session->death);
                return OUTCOME_DAEMON_FULL;
        }
        return 0;
}

/* Root and the user of the daemon may have so many more, to look what is wrong. */
#define OWNER_SESSIONS 8

static bool is_owner(const struct session *session)
{
        return !session->parent && (session->uid == 0 || session->uid == session->server->uid);
}

static bool may_exceed(const struct session *session)
{
        static const enum limits_scope scopes[] = {LIMITS_USER, LIMITS_TOTAL};

        for (int i = 0; i < 2; i++) {
                const struct limits_account *account = session->charge.accounts[scopes[i]];
                uint64_t maximum = account->set->maximum[LIMIT_SESSIONS];

                if (maximum != LIMIT_NONE &&
                        account->used[LIMIT_SESSIONS] >= maximum + OWNER_SESSIONS)
                        return false;
        }
        return is_owner(session);
}

/* The last descriptors are kept for other things, and for owners. */
static bool has_descriptors(const struct session *session)
{
        const struct server *server = session->server;

        return is_owner(session) || (server_has_descriptor(server, session->channel.fd) &&
                                            server_has_descriptor(server, session->process));
}

/* Charges a session to its user. set: its own limits, or NULL. Returns 0, OUTCOME_LIMIT_SESSIONS or
 * OUTCOME_DAEMON_FULL. */
static int charge_session(struct session *session, const struct limits_set *set)
{
        struct limits *limits = &session->server->limits;
        struct limits_account *user = limits_account_of_user(limits, session->uid);
        struct limits_account *own = limits_account_new(limits, LIMITS_SESSION, set);
        int r = OUTCOME_DAEMON_FULL;

        if (user && own && has_descriptors(session)) {
                charge_begin(&session->charge, own, user, NULL, limits->total);
                r = charge_take(&session->charge, LIMIT_SESSIONS, 1);
                if (r && may_exceed(session)) {
                        charge_set(&session->charge, LIMIT_SESSIONS, 1);
                        r = 0;
                }
        }
        limits_account_drop(own);
        limits_account_drop(user);
        return r;
}

static void refuse_connection(struct channel *channel, int result, struct log_about about)
{
        char text[WIRE_TEXT_MAX + 1];

        goodbye_send(channel, result);
        channel_close(channel);
        log_event(LOG_CONNECTION_REFUSED, about, "refused a connection: %s",
                charge_text(channel->charge, result, text));
}

struct session *session_make(struct server *server, int fd)
{
        struct session *session = calloc(1, sizeof(*session));

        if (!session)
                return NULL;
        session->place = slots_take(&server->views.sessions, session);
        if (session->place == SLOTS_NONE) {
                free(session);
                return NULL;
        }
        session->server = server;
        channel_init(&session->channel, fd, server->closer);
        session->channel.charge = &session->charge;
        session->process = -1;
        session->uid = LOG_NO_UID; /* until the socket says */
        return session;
}

static void keep_session(struct session *session)
{
        session->id = session->server->next_session++;
        session->opened_at = clock_now();
        session->activity.active_at = session->opened_at;
        survival_note_identities(session->server);
        server_keep_session(session->server, session);
}

void session_new(struct server *server, int fd)
{
        struct session *session = session_make(server, fd);
        struct channel channel;
        int r = OUTCOME_DAEMON_FULL;

        channel_init(&channel, fd, server->closer);
        if (!session) {
                refuse_connection(&channel, r, log_nobody());
                return;
        }
        r = identify_peer(session);
        if (!r)
                r = charge_session(session, NULL);
        if (!r)
                r = session_watch(session);
        if (r) {
                refuse_connection(&session->channel, r, session_about(session));
                session->process = fd_close(session->process);
                charge_repay(&session->charge);
                slots_drop(&server->views.sessions, session->place);
                free(session);
                return;
        }
        keep_session(session);
}

/* Takes over one user of the pool, also when it fails. Returns 0 or -ENOMEM. */
static int enter(struct session *session, struct served *served)
{
        int r = charge_join(&session->charge, served->account);

        if (!r)
                r = holder_new_for(served->pool, session->id, &session->holder);
        if (r) {
                served_release(served);
                return r;
        }
        session->served = served;
        served->sessions++;
        return 0;
}

/* Repays what it costs; the pool may be gone with that. */
static void finish(struct session *session)
{
        charge_repay(&session->peer);
        charge_repay(&session->charge);
        session->served = served_release(session->served);
        free(session);
}

/* On the reclaim thread, under the pool's lock. */
static void on_released(void *context)
{
        struct session *session = context;

        inbox_post(&session->server->departures, &session->departed);
}

void session_depart(struct inbox_item *item)
{
        struct session *session = (void *)((char *)item - offsetof(struct session, departed));

        TAILQ_REMOVE(&session->server->departed, session, link);
        finish(session);
}

/* It is in no list any more. Frees it, when all that it holds is released. */
void session_leave(struct session *session)
{
        slots_drop(&session->server->views.sessions, session->place);
        if (session->served)
                session->served->sessions--;
        if (session->holder && !holder_release(session->holder, on_released, session)) {
                TAILQ_INSERT_TAIL(&session->server->departed, session, link);
                return;
        }
        finish(session);
}

int session_open(struct session *session, struct served *served, bool read_only, const char *label)
{
        struct server *server = session->server;
        int r = served ? enter(session, served) : 0;

        if (r)
                return r;
        session->greeted = true;
        event_remove_timer(&session->readable);
        session->read_only |= read_only;
        if (label[0])
                strcpy(session->label, label); /* label_is_valid() has seen its length */
        server->open_sessions++;
        server->statistics.sessions_total++;
        return 0;
}

/* ---- sessions that were kept ----------------------------------------------------------------- */

void session_set_kept(struct session *session, bool kept)
{
        if (kept != session->kept) {
                if (kept)
                        session->server->kept_sessions++;
                else
                        session->server->kept_sessions--;
        }
        session->kept = kept;
}

/* ---- peers ----------------------------------------------------------------------------------- */

/* The daemon's end does not block; the other one does, as one that was connected. */
static int make_sockets(int sockets[2])
{
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return OUTCOME_DAEMON_FULL;
        check(fcntl(sockets[0], F_SETFL, O_NONBLOCK) == 0);
        return 0;
}

/* Charges a peer as a session of its own, and as a peer to who opens it. Returns 0, OUTCOME_LIMIT_*
 * or OUTCOME_DAEMON_FULL. */
static int charge_peer(
        const struct session *session, struct session *peer, const struct limits_set *set)
{
        struct limits_account *const *accounts = session->charge.accounts;
        int r;

        charge_begin(&peer->peer, accounts[LIMITS_SESSION], accounts[LIMITS_USER],
                accounts[LIMITS_POOL], accounts[LIMITS_TOTAL]);
        r = charge_take(&peer->peer, LIMIT_PEERS, 1);
        return r ? r : charge_session(peer, set);
}

/* Takes over the daemon's end, also when it fails. Returns 0, OUTCOME_LIMIT_* or
 * OUTCOME_DAEMON_FULL. */
static int make_peer(
        const struct session *session, int fd, const struct limits_set *set, struct session **ret)
{
        struct session *peer = session_make(session->server, fd);
        int r;

        if (!peer) {
                fd_close(fd);
                return OUTCOME_DAEMON_FULL;
        }
        peer->uid = session->uid;
        peer->gid = session->gid;
        peer->parent = session->id;
        peer->id = session->server->next_session; /* keep_session() will say so too */
        r = charge_peer(session, peer, set);
        if (!r)
                r = enter(peer, served_use(session->served));
        if (!r)
                r = session_watch(peer);
        if (r) {
                fd_close(fd);
                session_leave(peer);
                return r == -ENOMEM ? OUTCOME_DAEMON_FULL : r;
        }
        *ret = peer;
        return 0;
}

/* Has the daemon's end kept, where the session is. Returns 0, OUTCOME_STORE_FULL or -EAGAIN. */
static int store_peer(const struct session *session, uint64_t id, int fd, bool *ret_stored)
{
        struct server *server = session->server;
        int r;

        *ret_stored = false;
        if (!survival_is_possible(server, session->served))
                return 0;
        r = survival_store_session(server, id, fd);
        *ret_stored = r == 0;
        if (r == -EAGAIN)
                server->survival.store->wait(1); /* others have their turns in between */
        return r == OUTCOME_STORE_FULL && !server->survival.store->refuse ? 0 : r;
}

int session_open_peer(struct session *session, bool read_only, const char *label,
        const struct limits_set *limits, uint64_t *ret_id, int *ret_fd)
{
        struct server *server = session->server;
        uint64_t id = server->next_session;
        struct session *peer;
        int sockets[2];
        bool stored;
        int r = make_sockets(sockets);

        if (r)
                return r;
        r = store_peer(session, id, sockets[0], &stored);
        if (!r) {
                r = make_peer(session, sockets[0], limits, &peer);
                if (r && stored)
                        survival_drop_session(server, id);
        } else {
                fd_close(sockets[0]);
        }
        if (r) {
                fd_close(sockets[1]);
                return r;
        }
        peer->read_only = read_only;
        strcpy(peer->label, label);
        keep_session(peer);
        peer->stored = stored;
        if (stored)
                survival_keep_session(peer);
        *ret_id = peer->id;
        *ret_fd = sockets[1];
        return 0;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void blame(struct session *session, int result)
{
        char text[WIRE_TEXT_MAX + 1];

        if (error_status(result) != ENOMEM) /* that is our own fault */
                session->server->statistics.protocol_errors++;
        statistics_note_refusal(&session->server->statistics, result);
        log_event(LOG_SESSION_ENDED, session_about(session),
                "ended session %llu (process %d, user %u): %s", (unsigned long long)session->id,
                (int)session->pid, session->uid, charge_text(&session->charge, result, text));
        goodbye_send(&session->channel, result);
}

void session_end(struct session *session, int result)
{
        check(!session->ended);
        session->ended = true;
        survival_stop_waiting(session);
        if (session->stored)
                survival_drop_session(session->server, session->id);
        session_set_kept(session, false);
        session->stored = false;
        event_del(&session->readable);
        event_del(&session->writable);
        event_del(&session->hangup);
        event_del(&session->death);
        limits_stop_waiting(&session->waiter);
        charge_wake(&session->charge);
        views_close(session);
        trace_close(session);
        if (result)
                blame(session, result);
        else if (session->farewell)
                goodbye_send(&session->channel, session->farewell);
        channel_close(&session->channel);
        session->process = fd_close(session->process);
        if (session->parked)
                request_cancel(session->parked);
        else
                session_free(session);
}

void session_free(struct session *session)
{
        struct server *server = session->server;

        check(session->ended && !session->parked);
        if (session->greeted)
                server->open_sessions--;
        server_forget_session(server, session);
        session_leave(session);
}

void session_unpark(struct session *session, int result)
{
        session->parked = NULL;
        charge_set(&session->charge, LIMIT_REQUESTS, 0);
        charge_wake(&session->charge);
        if (session->ended) {
                session_free(session);
                return;
        }
        if (!result)
                result = session_choose_events(session);
        if (result)
                session_end(session, result > 0 ? result : 0);
}

void session_resume_reading(struct session *session)
{
        if (session_choose_events(session) < 0)
                session_end(session, 0);
}

void session_wake(struct limits_waiter *waiter)
{
        session_resume_reading((void *)((char *)waiter - offsetof(struct session, waiter)));
}

/* ---- what it holds --------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
        return a + b < a ? UINT64_MAX : a + b;
}

void session_set_room(struct session *session)
{
        const struct charge *charge = &session->charge;
        uint64_t ranges = charge->amounts[LIMIT_RANGES];
        struct holder_limits limits;

        if (!session->holder || session->read_only)
                return;
        limits.bytes = add(charge->amounts[LIMIT_BYTES], charge_room(charge, LIMIT_BYTES));
        limits.ranges = add(ranges, charge_room(charge, LIMIT_RANGES));
        limits.cut_ranges = add(ranges, charge_overdraft(charge, LIMIT_RANGES));
        holder_set_limits(session->holder, &limits);
}

void session_settle(struct session *session)
{
        struct holder_information holder;

        if (!session->holder || session->read_only)
                return;
        holder_information(session->holder, &holder);
        charge_set(&session->charge, LIMIT_BYTES, holder.held);
        charge_set(&session->charge, LIMIT_RANGES, holder.holdings);
}

void session_drain(struct session *session)
{
        channel_drain(&session->channel);
}

void session_dismiss(struct session *session, int outcome)
{
        session->farewell = outcome;
        session_drain(session);
}
