// SPDX-License-Identifier: Apache-2.0
#include "server/survival_parts.h"

#include "base/error.h"
#include "base/log.h"
#include "memory/survive.h"
#include "server/adopt.h"
#include "server/names.h"
#include "server/state.h"
#include "server/state_record.h"

#include <errno.h>
#include <string.h>

/* ---- pools ----------------------------------------------------------------------------------- */

/* Memory and journal, or neither. */
static int put_pool(struct server *server, const struct served *served)
{
        char memory[SURVIVAL_NAME_MAX], journal[SURVIVAL_NAME_MAX];
        int r;

        if (!survival_has_room(&server->survival, 2))
                return OUTCOME_STORE_FULL;
        name_write('p', served->id, memory);
        name_write('j', served->id, journal);
        r = survival_put(server, memory, pool_store_fd(served->pool));
        if (r)
                return r;
        r = survival_put(server, journal, pool_journal_fd(served->pool));
        if (r)
                survival_drop_name(server, memory);
        return r;
}

int survival_keep_pool(struct server *server, struct served *served)
{
        struct state_record record;
        int r;

        if (!server->survival.store)
                return 0;
        survival_note_identities(server);
        r = pool_keep_journal(served->pool);
        if (r == 0)
                r = put_pool(server, served);
        if (r == OUTCOME_STORE_FULL && !server->survival.store->refuse) {
                log_event(LOG_NOT_KEPT, log_of_pool(served_name(served)),
                        "pool %s does not survive the daemon: the store is full",
                        served_name(served));
                pool_stop_journal(served->pool);
                return 0;
        }
        if (r)
                return r;
        served->kept = true;
        survival_describe_pool(served, &record);
        survival_write_state(server, &record);
        return 0;
}

/* Something is gone; and why, if an operation is the cause. */
static void write_gone(struct server *server, enum state_record_type type, uint64_t id)
{
        struct survival *survival = &server->survival;
        const struct state_record record = {
                .type = type,
                .id = id,
                .applied = {.session = survival->cause.session,
                        .request = survival->cause.request,
                        .operation = survival->cause.operation},
        };

        survival->cause.session = 0;
        survival_write_state(server, &record);
}

void survival_forget_pool(struct server *server, struct served *served)
{
        char name[SURVIVAL_NAME_MAX];

        if (!served->kept)
                return;
        served->kept = false;
        write_gone(server, STATE_POOL_GONE, served->id);
        name_write('p', served->id, name);
        survival_drop_name(server, name);
        name_write('j', served->id, name);
        survival_drop_name(server, name);
        pool_stop_journal(served->pool);
}

/* ---- sessions -------------------------------------------------------------------------------- */

bool survival_is_possible(const struct server *server, const struct served *served)
{
        return server->survival.store && !server->survival.failed && (!served || served->kept);
}

int survival_store_session(struct server *server, uint64_t id, int fd)
{
        char name[SURVIVAL_NAME_MAX];

        name_write('s', id, name);
        return survival_put(server, name, fd);
}

bool survival_keep_session(struct session *session)
{
        struct state_record record;

        survival_describe_session(session, &record);
        session_set_kept(session, true);
        survival_write_state(session->server, &record);
        return true;
}

void survival_drop_session(struct server *server, uint64_t id)
{
        char name[SURVIVAL_NAME_MAX];

        write_gone(server, STATE_SESSION_GONE, id);
        name_write('s', id, name);
        survival_drop_name(server, name);
}

void survival_note_applied(
        const struct session *session, uint64_t request, uint32_t operation, int result)
{
        const struct state_record record = {
                .type = STATE_APPLIED,
                .id = session->id,
                .applied = {.session = session->id,
                        .request = request,
                        .operation = operation,
                        .result = result},
        };

        survival_write_state(session->server, &record);
}

void survival_note_cause(const struct session *session, uint64_t request, uint32_t operation)
{
        struct survival *survival = &session->server->survival;

        survival->cause.session = session->id;
        survival->cause.request = request;
        survival->cause.operation = operation;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int make_journal(struct server *server, const struct journal_format *format)
{
        struct survival *survival = &server->survival;
        int r = journal_create(&survival->journal, format);

        if (r < 0)
                return r;
        r = survival_put(server, "j", survival->journal.fd);
        if (r == -EAGAIN)
                return -EAGAIN;
        return r ? -ENOSPC : 0;
}

static const struct server_kept *find_kept(const struct server_store *store, const char *name)
{
        for (size_t i = 0; i < store->count; i++)
                if (store->kept[i].fd >= 0 && strcmp(store->kept[i].name, name) == 0)
                        return &store->kept[i];
        return NULL;
}

int survival_init(struct server *server, const struct server_store *store)
{
        const struct journal_format format = {
                .name = "filemem:sessions",
                .version = STATE_VERSION,
                .record_size = sizeof(struct state_record),
                .area_size = (size_t)1 << 30,
        };
        struct survival *survival = &server->survival;
        const struct server_kept *kept;
        int r;

        survival_open_store(server, store);
        if (!survival->store)
                return 0;
        survival->patient = true;
        survival->limit = SURVIVAL_SPARE;
        kept = find_kept(store, "j");
        if (!kept) {
                r = make_journal(server, &format);
                if (r == 0)
                        r = adopt_nothing(server);
                return r;
        }
        r = journal_open(&survival->journal, &format, kept->fd);
        if (r == -EBADMSG) {
                log_event(LOG_JOURNAL_DAMAGED, log_nobody(),
                        "the journal of sessions cannot be read: all sessions and pools that "
                        "were are ended");
                r = journal_format(&survival->journal, &format, kept->fd);
        }
        if (r < 0)
                return r;
        survival->adopting = true;
        r = adopt_all(server);
        survival->adopting = false;
        if (r == 0)
                survival_write_anew(server, NULL);
        return r == 0 && survival->failed ? -ENOMEM : r;
}

void survival_settle(struct server *server)
{
        struct served *served, *next;

        if (!server->survival.store)
                return;
        for (served = TAILQ_FIRST(&server->pools.list); served; served = next) {
                next = TAILQ_NEXT(served, link);
                pool_release_unclaimed(served->pool);
                pools_settle(&server->pools, served);
        }
        server->survival.patient = false;
}

void survival_deinit(struct server *server)
{
        survival_close_store(&server->survival);
        journal_close(&server->survival.journal);
}
