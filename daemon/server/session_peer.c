// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "server/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

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
        return r ? r : session_charge(peer, set);
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
        peer->id = session->server->next_session; /* session_enlist() will say so too */
        r = charge_peer(session, peer, set);
        if (!r)
                r = session_enter(peer, served_use(session->served));
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
        session_enlist(peer);
        peer->stored = stored;
        if (stored)
                survival_keep_session(peer);
        *ret_id = peer->id;
        *ret_fd = sockets[1];
        return 0;
}
