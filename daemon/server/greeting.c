// SPDX-License-Identifier: Apache-2.0
#include "server/greeting.h"

#include "base/error.h"
#include "server/label.h"
#include "server/session.h"
#include "server/state.h"

#include <errno.h>
#include <string.h>

static int check_hello(const Filemem__Hello *hello, const char *pool)
{
        if (hello->major != WIRE_MAJOR)
                return OUTCOME_VERSION;
        if (!label_is_valid(hello->label))
                return OUTCOME_LABEL_BAD;
        if (hello->pool[0] && strcmp(hello->pool, pool) != 0)
                return OUTCOME_POOL_UNKNOWN;
        return 0;
}

static int send_welcome(struct session *session, const struct pool_information *pool)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Welcome welcome = FILEMEM__WELCOME__INIT;

        welcome.major = WIRE_MAJOR;
        welcome.minor = WIRE_MINOR;
        welcome.session = session->id;
        welcome.pool = (char *)(uintptr_t)pool->name;
        welcome.capacity = pool->capacity;
        welcome.size = pool->size;
        welcome.page_size = pool->page_size;
        welcome.chunk_size = CHUNK_SIZE;
        welcome.max_message = WIRE_MESSAGE_MAX;
        welcome.max_operations = WIRE_OPERATIONS_MAX;
        welcome.daemon_version = (char *)(uintptr_t)FILEMEM_VERSION;
        message.body_case = FILEMEM__TO_CLIENT__BODY_WELCOME;
        message.welcome = &welcome;
        return session_send(session, &message, pool_fd(session->server->pool));
}

int greeting_answer(struct session *session, const Filemem__Hello *hello)
{
        struct pool_information pool;
        int r;

        pool_information(session->server->pool, &pool);
        r = check_hello(hello, pool.name);
        if (r)
                return r;
        r = session_open(session, hello->label);
        if (!r)
                r = send_welcome(session, &pool);
        /* The kernel limits descriptors in flight; they are those of clients that do not read. */
        return r == -ETOOMANYREFS || r == -ENOMEM ? OUTCOME_DAEMON_FULL : r;
}
