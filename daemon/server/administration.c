// SPDX-License-Identifier: Apache-2.0
#include "server/administration.h"

#include "base/error.h"
#include "base/log.h"
#include "server/identity.h"
#include "server/once.h"
#include "server/pool_reports.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- pools ----------------------------------------------------------------------------------- */

static void dismiss_all(struct server *server, const struct served *served)
{
        struct session *session;

        TAILQ_FOREACH (session, &server->sessions, link)
                if (session->served == served && !session->ended)
                        session_dismiss(session, OUTCOME_POOL_DESTROYED);
}

int handle_destroy_pool(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        struct session *session = request->session;
        struct server *server = session->server;
        struct served *served = pools_find(&server->pools, operation->destroy_pool->pool);
        struct identity identity;

        (void)result;
        identity_ask(session, &identity);
        if (!served)
                return OUTCOME_POOL_UNKNOWN;
        if (session->parent || !served_is_admin(served, &identity))
                return OUTCOME_NOT_ADMIN;
        if (served->state == SERVED_DESTROYED)
                return OUTCOME_POOL_CLOSED;
        log_event(LOG_POOL_DESTROYED,
                (struct log_about){.pool = served_name(served), .uid = session->uid},
                "user %u destroys pool %s, with %llu sessions in it", session->uid,
                served_name(served), (unsigned long long)served->sessions);
        /* First that it is gone, then what the clients in it see of that. */
        once_ends(request, served->kept);
        served_use(served);
        served_destroy(served);
        dismiss_all(server, served);
        served_release(served);
        return 0;
}

/* ---- sessions -------------------------------------------------------------------------------- */

static struct session *find_session(struct server *server, uint64_t id)
{
        struct session *session;

        TAILQ_FOREACH (session, &server->sessions, link)
                if (session->id == id && !session->ended)
                        return session;
        return NULL;
}

static bool may_kick(const struct session *session, const struct session *target)
{
        struct identity identity;

        if (session->parent)
                return false;
        if (target == session)
                return true;
        identity_ask(session, &identity);
        if (identity_is_same(target->uid, session->uid) ||
                pools_is_admin(&session->server->pools, &identity))
                return true;
        return target->served && served_is_admin(target->served, &identity);
}

int handle_kick_session(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        struct session *session = request->session;
        struct session *target = find_session(session->server, operation->kick_session->session);

        (void)result;
        if (!target)
                return OUTCOME_SESSION_UNKNOWN;
        if (!may_kick(session, target))
                return OUTCOME_NOT_ADMIN;
        /* Whoever has two sessions can do that as often as it likes. */
        log_event(LOG_SESSION_KICKED,
                (struct log_about){.session = target->id, .uid = session->uid},
                "user %u ends session %llu (process %d, user %u)", session->uid,
                (unsigned long long)target->id, (int)target->pid, target->uid);
        once_ends(request, target->stored && target != session);
        /* Nobody else is waited for; who asks for it itself gets its answer first. */
        if (target == session)
                session_dismiss(target, OUTCOME_SESSION_KICKED);
        else
                session_expel(target, OUTCOME_SESSION_KICKED);
        return 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool may_trim(const struct session *session, const struct served *served)
{
        struct identity identity;

        if (session->parent)
                return false;
        identity_ask(session, &identity);
        return served_is_admin(served, &identity) ||
               (served->is_private && identity_is_same(served->uid, session->uid));
}

void begin_trim(struct request *request, const Filemem__Operation *operation)
{
        struct served *served;
        int r = pool_asked(request, operation->trim->pool, &served);

        if (!r && !may_trim(request->session, served))
                r = OUTCOME_NOT_ADMIN;
        if (r) {
                request_job_done(&request->job, r);
                return;
        }
        request->asked = served_use(served);
        request->job.done = request_job_done;
        pool_trim(&request->job, served->pool);
}

int finish_trim(struct request *request, int job_result, Filemem__Result *result)
{
        Filemem__Trimmed *trimmed;

        if (job_result)
                return job_result;
        trimmed = arena_alloc(request->arena, sizeof(*trimmed));
        if (!trimmed)
                return -ENOMEM;
        filemem__trimmed__init(trimmed);
        trimmed->given_back = request->job.size;
        result->body_case = FILEMEM__RESULT__BODY_TRIMMED;
        result->trimmed = trimmed;
        return 0;
}

/* ---- the configuration ----------------------------------------------------------------------- */

static void reload_done(struct server_waiter *waiter, int result, const char *error)
{
        struct request *request = (void *)((char *)waiter - offsetof(struct request, waiter));

        if (result)
                snprintf(request->sentence, sizeof(request->sentence), "%s", error);
        request_job_done(&request->job, result ? OUTCOME_CONFIG_BAD : 0);
}

void begin_reload(struct request *request, const Filemem__Operation *operation)
{
        struct session *session = request->session;
        struct server *server = session->server;
        struct identity identity;

        (void)operation;
        identity_ask(session, &identity);
        if (session->parent || !pools_is_admin(&server->pools, &identity)) {
                request_job_done(&request->job, OUTCOME_NOT_ADMIN);
        } else if (!server->reload) {
                request_job_done(&request->job, OUTCOME_OPERATION_UNKNOWN);
        } else {
                log_event(LOG_RELOAD_ASKED, session_about(session),
                        "user %u asks for the configuration to be read again", session->uid);
                request->waiter.done = reload_done;
                server->reload(server->reload_context, &request->waiter);
        }
}

int finish_reload(struct request *request, int job_result, Filemem__Result *result)
{
        (void)request;
        (void)result;
        return job_result;
}
