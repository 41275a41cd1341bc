// SPDX-License-Identifier: Apache-2.0
#include "server/survival_parts.h"

#include "base/log.h"
#include "server/once.h"
#include "server/state.h"
#include "server/state_record.h"

#include <string.h>

/*
 * While it is written anew, each change that is written down has so many others copied: all of them
 * at once would take some ten milliseconds, where there are ten thousand sessions.
 */
#define SURVIVAL_COPIES 16

/* Identities are spoken for so many at a time. */
#define SURVIVAL_IDENTITIES 1024u

static struct state_record describe_identities(const struct survival *survival)
{
        return (struct state_record){
                .type = STATE_IDENTITIES,
                .id = survival->next_session,
                .pool = survival->next_pool,
                .flags = survival->restarts,
        };
}

void survival_note_identities(struct server *server)
{
        struct survival *survival = &server->survival;
        struct state_record record;

        if (!survival->store || (server->next_session <= survival->next_session &&
                                        server->pools.next_id <= survival->next_pool))
                return;
        survival->next_session = server->next_session + SURVIVAL_IDENTITIES;
        survival->next_pool = server->pools.next_id + SURVIVAL_IDENTITIES;
        record = describe_identities(survival);
        survival_write_state(server, &record);
}

void survival_describe_pool(const struct served *served, struct state_record *ret)
{
        const struct pool_options *options = &served->options;
        struct pool_information information;

        pool_information(served->pool, &information);
        *ret = (struct state_record){
                .type = STATE_POOL,
                .id = served->id,
                .uid = served->uid,
                .flags = (options->exec ? STATE_POOL_EXEC : 0) |
                         (options->zero_verify ? STATE_POOL_VERIFY : 0) |
                         (options->huge_advise ? STATE_POOL_HUGE : 0) |
                         (served->is_private ? STATE_POOL_PRIVATE : 0) |
                         (options->capacity ? 0 : STATE_POOL_UNSIZED),
                .pool_state.capacity = information.capacity,
        };
        strcpy(ret->pool_state.name, served_name(served));
}

void survival_describe_session(const struct session *session, struct state_record *ret)
{
        const struct limits_account *own = session->charge.accounts[LIMITS_SESSION];
        bool limited = own && own->set == &own->own;

        *ret = (struct state_record){
                .type = STATE_SESSION,
                .id = session->id,
                .pool = session->served ? session->served->id : 0,
                .uid = session->uid,
                .flags = (session->greeted ? STATE_SESSION_GREETED : 0) |
                         (session->read_only ? STATE_SESSION_READ_ONLY : 0) |
                         (limited ? STATE_SESSION_LIMITED : 0),
                .session = {.parent = session->parent,
                        .opened_at = session->opened_at,
                        .pid = session->pid,
                        .gid = session->gid},
        };
        if (limited) {
                ret->session.max_bytes = own->own.maximum[LIMIT_BYTES];
                ret->session.max_ranges = own->own.maximum[LIMIT_RANGES];
                ret->session.max_peers = own->own.maximum[LIMIT_PEERS];
        }
        strcpy(ret->session.label, session->label);
}

/* ---- writing all of it anew ------------------------------------------------------------------ */

static void copy_pool(struct server *server, const struct served *served)
{
        struct state_record record;

        if (!served || !served->kept)
                return;
        survival_describe_pool(served, &record);
        (void)journal_copy(&server->survival.journal, &record);
}

static void copy_applied(struct server *server, const struct session *session)
{
        struct state_record record = {.type = STATE_APPLIED, .id = session->id};

        for (size_t i = 0; session->applied && i < session->applied->count; i++) {
                record.applied.session = session->id;
                record.applied.request = session->applied->request;
                record.applied.operation = session->applied->list[i].operation;
                record.applied.result = session->applied->list[i].result;
                (void)journal_copy(&server->survival.journal, &record);
        }
}

static void copy_session(struct server *server, const struct session *session)
{
        struct state_record record;

        if (!session || !session->kept)
                return;
        survival_describe_session(session, &record);
        (void)journal_copy(&server->survival.journal, &record);
        copy_applied(server, session);
}

/* What is in the next places, so many of them. Returns whether there are no more. */
static bool copy_some(struct server *server, size_t most)
{
        struct survival *survival = &server->survival;
        const struct slots *pools = &server->pools.places, *sessions = &server->views.sessions;

        for (size_t i = 0; i < most; i++) {
                if (survival->copied_pools < pools->allocated)
                        copy_pool(server, pools->items[survival->copied_pools++]);
                else if (survival->copied_sessions < sessions->allocated)
                        copy_session(server, sessions->items[survival->copied_sessions++]);
                else
                        return true;
        }
        return false;
}

static void begin_copy(struct server *server)
{
        struct survival *survival = &server->survival;
        const struct state_record record = describe_identities(survival);

        journal_copy_begin(&survival->journal);
        (void)journal_copy(&survival->journal, &record);
        survival->copied_pools = survival->copied_sessions = 0;
}

/* Returns 0 or a negative errno, with the old one still there. */
static int end_copy(struct survival *survival)
{
        int r = journal_copy_end(&survival->journal); /* says what failed on the way */

        survival->copying = false;
        (void)journal_clear(&survival->journal);
        return r;
}

/* record: the last change, or NULL. Returns 0 or a negative errno, with the old one still there. */
static int write_all(struct server *server, const struct state_record *record)
{
        struct survival *survival = &server->survival;
        int r;

        if (survival->copying)
                journal_copy_abandon(&survival->journal);
        survival->copying = false;
        r = journal_clear(&survival->journal);
        if (r < 0)
                return r;
        begin_copy(server);
        (void)copy_some(server, SIZE_MAX);
        if (record)
                (void)journal_copy(&survival->journal, record);
        return end_copy(survival);
}

static void set_limit(struct survival *survival)
{
        survival->limit = 2 * journal_count(&survival->journal) + SURVIVAL_SPARE;
}

void survival_write_anew(struct server *server, const struct state_record *record)
{
        struct survival *survival = &server->survival;
        int r = write_all(server, record);

        if (r == 0) {
                if (survival->failed)
                        log_event(LOG_JOURNAL_WHOLE, log_nobody(),
                                "the journal of sessions is whole again");
                survival->failed = false;
        } else if (!survival->failed) {
                survival->failed = true;
                log_event(LOG_JOURNAL_FULL, log_nobody(),
                        "no memory for the journal of sessions: until there is, those that are "
                        "opened do not survive the daemon");
        }
        set_limit(survival);
        if (survival->failed)
                survival_try_again(survival);
}

/*
 * It has grown: the new one is begun, or goes on. What has changed is in both; so it does not
 * matter whether it is copied before or after. What fails is begun again when it has grown more.
 */
static void compact(struct server *server, const struct state_record *record)
{
        struct survival *survival = &server->survival;
        bool done;

        if (!survival->copying) {
                if (journal_clear(&survival->journal) < 0) {
                        set_limit(survival);
                        return;
                }
                begin_copy(server);
                survival->copying = true;
        }
        done = copy_some(server, SURVIVAL_COPIES);
        (void)journal_copy(&survival->journal, record);
        if (done) {
                (void)end_copy(survival);
                set_limit(survival);
        }
}

void survival_write_state(struct server *server, const struct state_record *record)
{
        struct survival *survival = &server->survival;

        if (survival->adopting)
                return; /* all of it will be, at the end */
        if (journal_append(&survival->journal, record) < 0)
                survival_write_anew(server, record);
        else if (survival->copying || journal_count(&survival->journal) >= survival->limit)
                compact(server, record);
}
