// SPDX-License-Identifier: Apache-2.0
#include "server/greeting.h"

#include "base/error.h"
#include "base/log.h"
#include "server/identity.h"
#include "server/label.h"
#include "server/session.h"
#include "server/state.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_POOL "default"

static int check_hello(const Filemem__Hello *hello)
{
        if (hello->major != WIRE_MAJOR)
                return OUTCOME_VERSION;
        if (!label_is_valid(hello->label))
                return OUTCOME_LABEL_BAD;
        if ((hello->pool[0] != 0) + hello->private_pool + hello->no_pool > 1)
                return OUTCOME_HELLO_CONTRADICTS;
        /* Nobody could ever write to it. */
        if (hello->private_pool && hello->read_only)
                return OUTCOME_HELLO_CONTRADICTS;
        return 0;
}

/* A peer is in its pool, and may say so. */
static int check_peer(const struct session *session, const Filemem__Hello *hello)
{
        if (hello->private_pool || hello->no_pool)
                return OUTCOME_PEER_POOL;
        if (hello->pool[0] && strcmp(hello->pool, served_name(session->served)) != 0)
                return OUTCOME_PEER_POOL;
        return session->served->state == SERVED_DESTROYED ? OUTCOME_POOL_CLOSED : 0;
}

/* The pool to enter, with a user for it; NULL where there is none to be entered. */
static int choose_pool(
        const struct session *session, const Filemem__Hello *hello, struct served **ret)
{
        struct pools *pools = &session->server->pools;
        struct identity identity;

        *ret = NULL;
        if (session->parent)
                return check_peer(session, hello);
        if (hello->no_pool)
                return 0;
        identity_ask(session, &identity);
        if (hello->private_pool)
                return pools_make_private(pools, &identity, ret);
        return pools_join(pools, hello->pool[0] ? hello->pool : DEFAULT_POOL, &identity,
                hello->read_only, ret);
}

static void fill_pool(const struct session *session, Filemem__Welcome *welcome)
{
        const struct served *served = session->served;
        struct pool_information pool;

        pool_information(served->pool, &pool);
        welcome->pool = (char *)(uintptr_t)pool.name;
        welcome->capacity = pool.capacity;
        welcome->size = pool.size;
        welcome->private_pool = served->is_private;
        welcome->huge_advise = pool.huge_advise;
}

static int choose_fd(const struct session *session)
{
        if (!session->served)
                return -1;
        return session->read_only ? pool_read_only_fd(session->served->pool)
                                  : pool_fd(session->served->pool);
}

static int send_welcome(struct session *session)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Welcome welcome = FILEMEM__WELCOME__INIT;

        welcome.major = WIRE_MAJOR;
        welcome.minor = WIRE_MINOR;
        welcome.session = session->id;
        welcome.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
        welcome.chunk_size = CHUNK_SIZE;
        welcome.max_message = WIRE_MESSAGE_MAX;
        welcome.max_operations = WIRE_OPERATIONS_MAX;
        welcome.daemon_version = (char *)(uintptr_t)FILEMEM_VERSION;
        welcome.read_only = session->read_only;
        welcome.parent = session->parent;
        welcome.survives = session->kept;
        if (session->served)
                fill_pool(session, &welcome);
        message.body_case = FILEMEM__TO_CLIENT__BODY_WELCOME;
        message.welcome = &welcome;
        return session_send(session, &message, choose_fd(session));
}

/* ---- surviving ------------------------------------------------------------------------------- */

/*
 * First of all, because it may have to be tried again: the descriptor is stored. A peer's was, when
 * it was opened. Returns 0, -EAGAIN or OUTCOME_STORE_FULL.
 */
static int store(struct session *session, const Filemem__Hello *hello)
{
        struct server *server = session->server;
        int r;

        if (!survival_is_possible(server, session->served) || !hello->resumable || session->stored)
                return 0;
        r = survival_store_session(server, session->id, session->channel.fd);
        session->stored = r == 0;
        if (r == OUTCOME_STORE_FULL && !server->survival.store->refuse) {
                log_event(LOG_NOT_KEPT, session_about(session),
                        "session %llu (process %d, user %u) does not survive the daemon: the "
                        "store is full",
                        (unsigned long long)session->id, (int)session->pid, session->uid);
                return 0;
        }
        return r;
}

/* Then, with all that is to be written down. */
static void keep(struct session *session, const Filemem__Hello *hello)
{
        struct server *server = session->server;

        if (!session->stored)
                return;
        if (hello->resumable && survival_is_possible(server, session->served)) {
                survival_keep_session(session);
                return;
        }
        session_set_kept(session, false);
        session->stored = false;
        survival_drop_session(server, session->id);
}

int greeting_repeat(struct session *session)
{
        return send_welcome(session);
}

int greeting_answer(struct session *session, const Filemem__Hello *hello)
{
        struct served *served;
        int r = check_hello(hello);

        if (!r)
                r = store(session, hello);
        if (!r)
                r = choose_pool(session, hello, &served);
        if (!r)
                r = session_open(session, served, hello->read_only, hello->label);
        if (!r) {
                keep(session, hello);
                r = send_welcome(session);
        }
        /* The kernel limits descriptors in flight; they are those of clients that do not read. */
        return r == -ETOOMANYREFS || r == -ENOMEM || r == -EMFILE || r == -ENFILE
                       ? OUTCOME_DAEMON_FULL
                       : r;
}
