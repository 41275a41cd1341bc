// SPDX-License-Identifier: Apache-2.0
#include "server/session_parts.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "memory/survive.h"
#include "server/goodbye.h"
#include "server/state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct log_about session_about(const struct session *session)
{
        return (struct log_about){
                .session = session->id,
                .pool = session->served ? served_name(session->served) : NULL,
                .uid = session->uid,
                .pid = session->pid,
        };
}

/* ---- sending --------------------------------------------------------------------------------- */

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

/* ---- beginning ------------------------------------------------------------------------------- */

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

void session_enlist(struct session *session)
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
                r = session_charge(session, NULL);
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
        session_enlist(session);
        /* Who connects says Hello at once: it is looked for in this turn of the loop. */
        event_active(&session->readable, EV_READ, 0);
}

int session_enter(struct session *session, struct served *served)
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

int session_open(struct session *session, struct served *served, bool read_only, const char *label)
{
        struct server *server = session->server;
        int r = served ? session_enter(session, served) : 0;

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
