// SPDX-License-Identifier: Apache-2.0
#include "server/survival.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "memory/survive.h"
#include "server/adopt.h"
#include "server/names.h"
#include "server/state.h"
#include "server/state_record.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* Records beyond twice what there is, before the journal is written anew. */
#define SURVIVAL_SPARE 4096u

/* Identities are spoken for so many at a time. */
#define SURVIVAL_IDENTITIES 1024u

/* One variable of the environment has 128 KiB; the rest is for the listening socket's. */
#define SURVIVAL_NAMES_MAX (126u << 10)

/* At the start, and when pools are configured, the store is waited for. */
#define SURVIVAL_ATTEMPTS   50
#define SURVIVAL_ATTEMPT_MS 100

/* When it could not be told. */
static const struct timeval retry_after = {.tv_usec = 5000};

struct survival_removal {
        STAILQ_ENTRY(survival_removal) link;
        char name[SURVIVAL_NAME_MAX];
};

/* ---- the journal ----------------------------------------------------------------------------- */

static void write_state(struct server *server, const struct state_record *record);

static void write_identities(struct server *server)
{
        const struct survival *survival = &server->survival;
        const struct state_record record = {.type = STATE_IDENTITIES,
                .id = survival->next_session,
                .pool = survival->next_pool,
                .flags = survival->restarts};

        write_state(server, &record);
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

static void describe_pool(const struct served *served, struct state_record *ret)
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

static void describe_session(const struct session *session, struct state_record *ret)
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
                describe_pool(served, &record);
                (void)journal_copy(journal, &record);
        }
        TAILQ_FOREACH (session, &server->sessions, link) {
                if (!session->kept)
                        continue;
                describe_session(session, &record);
                (void)journal_copy(journal, &record);
        }
        r = journal_copy_end(journal); /* says what failed on the way */
        if (r == 0)
                (void)journal_clear(journal);
        return r;
}

static void write_anew(struct server *server)
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
                (void)event_add(&survival->retry, &retry_after);
}

static void write_state(struct server *server, const struct state_record *record)
{
        struct survival *survival = &server->survival;

        if (survival->adopting)
                return; /* all of it will be, at the end */
        if (journal_append(&survival->journal, record) < 0 ||
                journal_count(&survival->journal) >= survival->limit)
                write_anew(server);
}

/* ---- the store ------------------------------------------------------------------------------- */

static bool has_room(const struct survival *survival, unsigned count)
{
        return survival->stored + count <= survival->store->maximum &&
               survival->name_bytes + (uint64_t)count * SURVIVAL_NAME_MAX <= SURVIVAL_NAMES_MAX;
}

static void note_removed(struct survival *survival, const char *name)
{
        survival->stored--;
        survival->name_bytes -= strlen(name) + 1;
}

/* What waits to be removed. Returns 0 or -EAGAIN. */
static int send_removals(struct survival *survival)
{
        struct survival_removal *removal;

        while ((removal = STAILQ_FIRST(&survival->removals))) {
                if (survival->store->remove(removal->name) == -EAGAIN)
                        return -EAGAIN;
                note_removed(survival, removal->name);
                STAILQ_REMOVE_HEAD(&survival->removals, link);
                free(removal);
        }
        return 0;
}

static int try_put(struct survival *survival, const char *name, int fd)
{
        /* What is to go goes first, or the store may have no room. */
        int r = send_removals(survival);

        return r < 0 ? r : survival->store->put(name, fd);
}

/* Returns 0, -EAGAIN, or OUTCOME_STORE_FULL. */
static int put(struct server *server, const char *name, int fd)
{
        struct survival *survival = &server->survival;
        int r;

        if (!has_room(survival, 1))
                return OUTCOME_STORE_FULL;
        crash_point();
        r = try_put(survival, name, fd);
        for (int i = 0; i < SURVIVAL_ATTEMPTS && r == -EAGAIN && survival->patient; i++) {
                survival->store->wait(SURVIVAL_ATTEMPT_MS);
                r = try_put(survival, name, fd);
        }
        crash_point();
        if (r < 0 && r != -EAGAIN) {
                log_event(LOG_STORE_FAILED, log_nobody(), "systemd takes no descriptors: %s",
                        strerror(-r));
                return OUTCOME_STORE_FULL;
        }
        if (r == 0) {
                survival->stored++;
                survival->name_bytes += strlen(name) + 1;
        }
        return r;
}

void survival_drop_name(struct server *server, const char *name)
{
        struct survival *survival = &server->survival;
        struct survival_removal *removal;
        int r = STAILQ_EMPTY(&survival->removals) ? survival->store->remove(name) : -EAGAIN;

        crash_point();
        if (r != -EAGAIN) {
                note_removed(survival, name);
                return;
        }
        removal = malloc(sizeof(*removal));
        if (!removal)
                return; /* it stays counted: that there is less room is the worst of it */
        strcpy(removal->name, name);
        STAILQ_INSERT_TAIL(&survival->removals, removal, link);
        (void)event_add(&survival->retry, &retry_after);
}

static void wake_waiting(struct survival *survival)
{
        struct session *session;

        while ((session = TAILQ_FIRST(&survival->waiting))) {
                survival_stop_waiting(session);
                session_resume_reading(session);
        }
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
        struct server *server = context;
        struct survival *survival = &server->survival;

        (void)fd;
        (void)what;
        if (send_removals(survival) < 0) {
                (void)event_add(&survival->retry, &retry_after);
                return;
        }
        if (survival->failed)
                write_anew(server);
        wake_waiting(survival);
}

void survival_wait(struct session *session)
{
        struct survival *survival = &session->server->survival;

        TAILQ_INSERT_TAIL(&survival->waiting, session, store_link);
        session->waits_for_store = true;
        if (!event_pending(&survival->retry, EV_TIMEOUT, NULL))
                (void)event_add(&survival->retry, &retry_after);
}

void survival_stop_waiting(struct session *session)
{
        if (session->waits_for_store)
                TAILQ_REMOVE(&session->server->survival.waiting, session, store_link);
        session->waits_for_store = false;
}

/* ---- pools ----------------------------------------------------------------------------------- */

/* Memory and journal, or neither. */
static int put_pool(struct server *server, const struct served *served)
{
        char memory[SURVIVAL_NAME_MAX], journal[SURVIVAL_NAME_MAX];
        int r;

        if (!has_room(&server->survival, 2))
                return OUTCOME_STORE_FULL;
        name_write('p', served->id, memory);
        name_write('j', served->id, journal);
        r = put(server, memory, pool_store_fd(served->pool));
        if (r)
                return r;
        r = put(server, journal, pool_journal_fd(served->pool));
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
        describe_pool(served, &record);
        write_state(server, &record);
        return 0;
}

void survival_forget_pool(struct server *server, struct served *served)
{
        const struct state_record record = {.type = STATE_POOL_GONE, .id = served->id};
        char name[SURVIVAL_NAME_MAX];

        if (!served->kept)
                return;
        served->kept = false;
        write_state(server, &record);
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
        return put(server, name, fd);
}

bool survival_keep_session(struct session *session)
{
        struct state_record record;

        describe_session(session, &record);
        session_set_kept(session, true);
        write_state(session->server, &record);
        return true;
}

void survival_drop_session(struct server *server, uint64_t id)
{
        const struct state_record record = {.type = STATE_SESSION_GONE, .id = id};
        char name[SURVIVAL_NAME_MAX];

        write_state(server, &record);
        name_write('s', id, name);
        survival_drop_name(server, name);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int make_journal(struct server *server, const struct journal_format *format)
{
        struct survival *survival = &server->survival;
        int r = journal_create(&survival->journal, format);

        if (r < 0)
                return r;
        r = put(server, "j", survival->journal.fd);
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

        STAILQ_INIT(&survival->removals);
        TAILQ_INIT(&survival->waiting);
        evtimer_assign(&survival->retry, server->base, on_retry, server);
        if (!store || store->maximum < 2)
                return 0;
        survival->store = store;
        survival->patient = true;
        survival->limit = SURVIVAL_SPARE;
        for (size_t i = 0; i < store->count; i++) {
                survival->stored++;
                survival->name_bytes += strlen(store->kept[i].name) + 1;
        }
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
                write_anew(server);
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
        struct survival *survival = &server->survival;
        struct survival_removal *removal;

        if (!survival->removals.stqh_last)
                return; /* it has not come to the beginning */
        event_del(&survival->retry);
        while ((removal = STAILQ_FIRST(&survival->removals))) {
                STAILQ_REMOVE_HEAD(&survival->removals, link);
                free(removal);
        }
        journal_close(&survival->journal);
}
