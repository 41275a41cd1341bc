// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "memory/survive.h"
#include "server/once.h"
#include "server/state.h"
#include "server/state_record.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct session *find_session(struct server *server, uint64_t id)
{
        struct session *session = id ? server_find_session_after(server, id - 1) : NULL;

        return session && session->id == id ? session : NULL;
}

/* Charges what it cost before, whatever the limits are now. Returns 0 or -ENOMEM. */
static int charge_adopted(struct session *session, const struct state_record *record)
{
        struct limits *limits = &session->server->limits;
        struct limits_set set = limits->options.sets[LIMITS_SESSION];
        bool limited = record->flags & STATE_SESSION_LIMITED;
        struct limits_account *user = limits_account_of_user(limits, session->uid);
        struct limits_account *own, *opener = NULL;
        const struct session *parent = find_session(session->server, session->parent);

        if (limited) {
                set.maximum[LIMIT_BYTES] = record->session.max_bytes;
                set.maximum[LIMIT_RANGES] = record->session.max_ranges;
                set.maximum[LIMIT_PEERS] = record->session.max_peers;
        }
        own = limits_account_new(limits, LIMITS_SESSION, limited ? &set : NULL);
        if (user && own) {
                charge_begin(&session->charge, own, user, NULL, limits->total);
                charge_set(&session->charge, LIMIT_SESSIONS, 1);
                if (parent)
                        opener = parent->charge.accounts[LIMITS_SESSION];
                if (session->parent) {
                        charge_begin(&session->peer, opener, user, NULL, limits->total);
                        charge_set(&session->peer, LIMIT_PEERS, 1);
                }
        }
        limits_account_drop(own);
        limits_account_drop(user);
        return session->charge.accounts[LIMITS_SESSION] ? 0 : -ENOMEM;
}

/* The pool's limits are none yet: the configuration is still to come. */
static int enter_again(struct session *session, struct served *served)
{
        int r = charge_join(&session->charge, served->account);

        if (!r && session->parent)
                r = charge_join(&session->peer, served->account);
        if (r)
                return r;
        session->holder = pool_claim_holder(served->pool, session->id);
        if (!session->holder)
                r = holder_new_for(served->pool, session->id, &session->holder);
        if (r)
                return r;
        session->served = served_use(served);
        served->sessions++;
        session->once = holder_last_request(session->holder);
        session->answered = session->once ? session->once - 1 : 0;
        return 0;
}

static void fill_adopted(struct session *session, const struct state_record *record)
{
        session->id = record->id;
        session->pid = record->session.pid;
        session->uid = record->uid;
        session->gid = record->session.gid;
        session->parent = record->session.parent;
        session->opened_at = record->session.opened_at;
        session->activity.active_at = clock_now();
        session->greeted = record->flags & STATE_SESSION_GREETED;
        session->read_only = record->flags & STATE_SESSION_READ_ONLY;
        session->resuming = session->greeted;
        session->stored = true;
        strcpy(session->label, record->session.label);
}

/* Who connected may have died meanwhile: then the kernel has no descriptor of it to give. */
static int find_process(struct session *session)
{
        socklen_t size = sizeof(session->process);

        if (session->parent)
                return 0;
        if (getsockopt(session->channel.fd, SOL_SOCKET, SO_PEERPIDFD, &session->process, &size) ==
                0)
                return 0;
        session->process = -1;
        return errno == ENOPROTOOPT ? 0 : -errno;
}

static int send_resumed(struct session *session)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Resumed resumed = FILEMEM__RESUMED__INIT;

        resumed.last_applied = session->once;
        message.body_case = FILEMEM__TO_CLIENT__BODY_RESUMED;
        message.resumed = &resumed;
        return session_send(session, &message, -1);
}

/* What has to be there before it is one of the server's. */
static int prepare_adopted(
        struct session *session, const struct state_record *record, struct served *served)
{
        int r = find_process(session);

        if (!r)
                r = charge_adopted(session, record);
        if (!r && served)
                r = enter_again(session, served);
        if (!r)
                r = session_watch(session);
        return r;
}

/* Whether it is memory or descriptors that there were not enough of. */
static bool is_short(int r)
{
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == OUTCOME_DAEMON_FULL;
}

int session_adopt(struct server *server, const struct state_record *record, struct served *served,
        const struct state_record *applied, size_t count, int fd)
{
        struct session *session = session_make(server, fd);
        int r;

        if (!session)
                return -ENOMEM;
        fill_adopted(session, record);
        r = prepare_adopted(session, record, served);
        if (!r)
                r = once_restore(session, applied, count);
        /* The daemon does not start then, and tries again: nothing may be released. */
        if (is_short(r))
                return -ENOMEM;
        if (r) {
                session->channel.fd = -1;
                session->process = fd_close(session->process);
                session_leave(session);
                return r;
        }
        session_set_kept(session, true);
        server_keep_session(server, session);
        if (session->greeted)
                server->open_sessions++;
        session_settle(session);
        /* One that is gone is seen to be that by reading from it. */
        if (session->greeted && send_resumed(session) == 0)
                (void)session_choose_events(session);
        return 0;
}
