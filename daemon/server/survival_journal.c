// SPDX-License-Identifier: Apache-2.0
#include "server/survival_parts.h"

#include "base/log.h"
#include "server/state.h"
#include "server/state_record.h"

#include <string.h>

/* Identities are spoken for so many at a time. */
#define SURVIVAL_IDENTITIES 1024u

static void write_identities(struct server *server)
{
        const struct survival *survival = &server->survival;
        const struct state_record record = {.type = STATE_IDENTITIES,
                .id = survival->next_session,
                .pool = survival->next_pool,
                .flags = survival->restarts};

        survival_write_state(server, &record);
}

void survival_note_identities(struct server *server)
{
        struct survival *survival = &server->survival;

        if (!survival->store || (server->next_session <= survival->next_session &&
                                        server->pools.next_id <= survival->next_pool))
                return;
        survival->next_session = server->next_session + SURVIVAL_IDENTITIES;
        survival->next_pool = server->pools.next_id + SURVIVAL_IDENTITIES;
        write_identities(server);
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

/* All of it anew. Returns 0 or a negative errno, with the old one still there. */
static int write_all(struct server *server)
{
        struct journal *journal = &server->survival.journal;
        const struct survival *survival = &server->survival;
        struct state_record record = {.type = STATE_IDENTITIES,
                .id = survival->next_session,
                .pool = survival->next_pool,
                .flags = survival->restarts};
        const struct served *served;
        const struct session *session;
        int r = journal_clear(journal);

        if (r < 0)
                return r;
        journal_copy_begin(journal);
        (void)journal_copy(journal, &record);
        TAILQ_FOREACH (served, &server->pools.list, link) {
                if (!served->kept)
                        continue;
                survival_describe_pool(served, &record);
                (void)journal_copy(journal, &record);
        }
        TAILQ_FOREACH (session, &server->sessions, link) {
                if (!session->kept)
                        continue;
                survival_describe_session(session, &record);
                (void)journal_copy(journal, &record);
        }
        r = journal_copy_end(journal); /* says what failed on the way */
        if (r == 0)
                (void)journal_clear(journal);
        return r;
}

void survival_write_anew(struct server *server)
{
        struct survival *survival = &server->survival;
        int r = write_all(server);

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
        survival->limit = 2 * journal_count(&survival->journal) + SURVIVAL_SPARE;
        if (survival->failed)
                survival_try_again(survival);
}

void survival_write_state(struct server *server, const struct state_record *record)
{
        struct survival *survival = &server->survival;

        if (survival->adopting)
                return; /* all of it will be, at the end */
        if (journal_append(&survival->journal, record) < 0 ||
                journal_count(&survival->journal) >= survival->limit)
                survival_write_anew(server);
}
