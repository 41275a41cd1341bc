// SPDX-License-Identifier: Apache-2.0
#include "server/adopt.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "memory/survive.h"
#include "server/closer.h"
#include "server/names.h"
#include "server/state.h"
#include "server/state_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* States of things; when all are read the last one of each, by ascending identity. */
struct states {
        struct state_record *records;
        size_t count;
        size_t room;
};

struct left {
        struct states pools;
        struct states sessions;
        struct states applied;
        uint64_t next_session;
        uint64_t next_pool;
        uint32_t restarts;
};

/* ---- reading --------------------------------------------------------------------------------- */

static int note_state(struct states *states, const struct state_record *record)
{
        if (states->count == states->room) {
                size_t room = states->room ? 2 * states->room : 64;
                struct state_record *more = realloc(states->records, room * sizeof(*more));

                if (!more)
                        return -ENOMEM;
                states->records = more;
                states->room = room;
        }
        states->records[states->count] = *record;
        /* The commit word has served: from here on it is the order. */
        states->records[states->count].mark.commit = (uint32_t)states->count;
        states->count++;
        return 0;
}

static int compare_states(const void *a, const void *b)
{
        const struct state_record *x = a, *y = b;

        if (x->id != y->id)
                return x->id < y->id ? -1 : 1;
        return x->mark.commit < y->mark.commit ? -1 : 1;
}

static void sort_states(struct states *states)
{
        if (states->count)
                qsort(states->records, states->count, sizeof(*states->records), compare_states);
}

/* Of each identity the last one stays. */
static void keep_last_states(struct states *states)
{
        size_t kept = 0;

        for (size_t i = 0; i < states->count; i++)
                if (i + 1 == states->count || states->records[i].id != states->records[i + 1].id)
                        states->records[kept++] = states->records[i];
        states->count = kept;
}

/* What ended it was an operation: that came to this. */
static int note_cause(struct left *left, struct state_record *record)
{
        record->id = record->applied.session;
        return record->id ? note_state(&left->applied, record) : 0;
}

static int note_record(struct left *left, struct state_record *record)
{
        int r;

        switch (record->type) {
        case STATE_IDENTITIES:
                left->next_session = record->id;
                left->next_pool = record->pool;
                left->restarts = record->flags;
                return 0;
        case STATE_POOL:
                record->pool_state.name[POOL_NAME_MAX] = 0;
                return note_state(&left->pools, record);
        case STATE_SESSION:
                record->session.label[WIRE_LABEL_MAX] = 0;
                return note_state(&left->sessions, record);
        case STATE_POOL_GONE:
                r = note_state(&left->pools, record);
                return r < 0 ? r : note_cause(left, record);
        case STATE_SESSION_GONE:
                r = note_state(&left->sessions, record);
                return r < 0 ? r : note_cause(left, record);
        case STATE_APPLIED:
                return note_state(&left->applied, record);
        default:
                return -EBADMSG;
        }
}

static int read_journal(const struct journal *journal, struct left *left)
{
        struct state_record record;
        int r;

        for (uint64_t index = 0; (r = journal_read(journal, index, &record)) > 0; index++) {
                r = note_record(left, &record);
                if (r < 0)
                        break;
        }
        if (r == -EBADMSG) {
                log_event(LOG_JOURNAL_DAMAGED, log_nobody(),
                        "the journal of sessions is damaged: sessions and pools that it says "
                        "nothing of any more are ended");
                r = 0;
        }
        sort_states(&left->pools);
        sort_states(&left->sessions);
        sort_states(&left->applied);
        keep_last_states(&left->pools);
        keep_last_states(&left->sessions);
        return r;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int compare_kept(const void *a, const void *b)
{
        const struct server_kept *x = a, *y = b;

        return strcmp(x->name, y->name);
}

/* The descriptor of that name, which is the caller's; -1 if there is none. */
static int take_kept(struct server *server, char letter, uint64_t id)
{
        const struct server_store *store = server->survival.store;
        struct server_kept key = {.fd = -1}, *found;

        if (!store->count)
                return -1;
        name_write(letter, id, key.name);
        found = bsearch(&key, store->kept, store->count, sizeof(key), compare_kept);
        return found ? steal_fd(&found->fd) : -1;
}

static void drop_kept(struct server *server, char letter, uint64_t id, int fd)
{
        char name[SERVER_NAME_MAX];

        name_write(letter, id, name);
        /* The store has it too: the client hears of the end by this alone. */
        if (letter == 's')
                (void)shutdown(fd, SHUT_RDWR);
        closer_close(server->closer, fd, letter == 's');
        survival_drop_name(server, name);
}

/* What belongs to nothing that is written down. */
static void drop_rest(struct server *server)
{
        const struct server_store *store = server->survival.store;
        unsigned count = 0;

        for (size_t i = 0; i < store->count; i++) {
                struct server_kept *kept = &store->kept[i];
                int fd = steal_fd(&kept->fd);

                if (fd < 0)
                        continue;
                if (kept->name[0] == 's')
                        (void)shutdown(fd, SHUT_RDWR);
                closer_close(server->closer, fd, kept->name[0] == 's');
                survival_drop_name(server, kept->name);
                count++;
        }
        if (count)
                log_event(LOG_STORE_DROPPED, log_nobody(),
                        "dropped %u descriptors that belong to nothing any more", count);
}

int adopt_nothing(struct server *server)
{
        drop_rest(server);
        return 0;
}

/* ---- pools ----------------------------------------------------------------------------------- */

static int resume_pool(
        struct server *server, const struct state_record *record, int fd, int journal_fd)
{
        struct pool_options options = {
                .name = record->pool_state.name,
                .capacity = record->pool_state.capacity,
                .exec = record->flags & STATE_POOL_EXEC,
                .zero_verify = record->flags & STATE_POOL_VERIFY,
                .huge_advise = record->flags & STATE_POOL_HUGE,
        };
        struct pool *pool;
        int r = pool_resume(server->memory, &options, fd, journal_fd, &pool);

        if (r < 0)
                return r;
        if (record->flags & STATE_POOL_UNSIZED)
                options.capacity = 0;
        return pools_adopt(&server->pools, pool, &options, record->id,
                record->flags & STATE_POOL_PRIVATE, record->uid);
}

static int adopt_pool(struct server *server, const struct state_record *record)
{
        int fd = take_kept(server, 'p', record->id);
        int journal_fd = take_kept(server, 'j', record->id);
        int r = fd >= 0 && journal_fd >= 0 ? resume_pool(server, record, fd, journal_fd) : -ENOENT;

        if (r == 0)
                return 0;
        if (r == -EPROTONOSUPPORT || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                return r; /* it stays in the store, for another attempt */
        log_event(LOG_POOL_LOST, log_of_pool(record->pool_state.name),
                "pool %s is lost, and with it its sessions: %s", record->pool_state.name,
                r == -ENOENT ? "its memory or its journal was not kept" : strerror(-r));
        if (fd >= 0)
                drop_kept(server, 'p', record->id, fd);
        if (journal_fd >= 0)
                drop_kept(server, 'j', record->id, journal_fd);
        return 0;
}

/* ---- sessions -------------------------------------------------------------------------------- */

static struct served *find_pool(struct server *server, uint64_t id)
{
        struct served *served;

        TAILQ_FOREACH (served, &server->pools.list, link)
                if (served->id == id)
                        return served;
        return NULL;
}

/* Those of one session. */
static const struct state_record *find_states(
        const struct states *states, uint64_t id, size_t *ret_count)
{
        size_t low = 0, high = states->count, end;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (states->records[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (end = low; end < states->count && states->records[end].id == id;)
                end++;
        *ret_count = end - low;
        return states->records ? &states->records[low] : NULL;
}

static int adopt_session(
        struct server *server, const struct left *left, const struct state_record *record)
{
        const struct state_record *applied;
        size_t count;
        struct served *served = record->pool ? find_pool(server, record->pool) : NULL;
        int fd = take_kept(server, 's', record->id), r = -ENOENT;

        applied = find_states(&left->applied, record->id, &count);
        /* Without its descriptor the client has gone meanwhile. */
        if (fd < 0)
                return 0;
        if (!record->pool || served)
                r = session_adopt(server, record, served, applied, count, fd);
        if (r == -ENOMEM)
                return r;
        if (r)
                drop_kept(server, 's', record->id, fd);
        return 0;
}

static int adopt(struct server *server, struct left *left)
{
        uint64_t adopted;
        int r;

        server->next_session = server->survival.next_session = left->next_session;
        server->pools.next_id = server->survival.next_pool = left->next_pool;
        server->survival.restarts = left->restarts + 1;
        for (size_t i = 0; i < left->pools.count; i++) {
                const struct state_record *record = &left->pools.records[i];

                if (record->id >= server->pools.next_id)
                        server->pools.next_id = record->id + 1;
                r = record->type == STATE_POOL ? adopt_pool(server, record) : 0;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < left->sessions.count; i++) {
                const struct state_record *record = &left->sessions.records[i];

                if (record->id >= server->next_session)
                        server->next_session = record->id + 1;
                r = record->type == STATE_SESSION ? adopt_session(server, left, record) : 0;
                if (r < 0)
                        return r;
        }
        drop_rest(server);
        adopted = server->connections;
        survival_note_identities(server);
        log_event(LOG_RESUMED, log_nobody(), "went on with %llu sessions in %llu pools",
                (unsigned long long)adopted, (unsigned long long)server->pools.count);
        return 0;
}

int adopt_all(struct server *server)
{
        const struct server_store *store = server->survival.store;
        struct left left = {.next_session = 1, .next_pool = 1};
        struct server_kept *own;
        struct server_kept key = {.name = "j"};
        int r = read_journal(&server->survival.journal, &left);

        qsort(store->kept, store->count, sizeof(*store->kept), compare_kept);
        own = bsearch(&key, store->kept, store->count, sizeof(key), compare_kept);
        if (own)
                own->fd = -1; /* the journal has it */
        if (r == 0)
                r = adopt(server, &left);
        free(left.pools.records);
        free(left.sessions.records);
        free(left.applied.records);
        return r;
}
