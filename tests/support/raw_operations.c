// SPDX-License-Identifier: Apache-2.0
#include "support/raw.h"

/* The operation with that body, in which nothing is said yet. */
#define BEGIN(upper, lower, field)                                                                 \
        filemem__operation__init(&operation->operation);                                           \
        filemem__##field##__init(&operation->body.field);                                          \
        operation->operation.body_case = FILEMEM__OPERATION__BODY_##upper;                         \
        operation->operation.lower = &operation->body.field

/* ---- those that say no more than what they are ------------------------------------------------
 */

#define PLAIN(upper, lower)                                                                        \
        void raw_##lower(struct raw_operation *operation)                                          \
        {                                                                                          \
                BEGIN(upper, lower, lower);                                                        \
        }

PLAIN(PING, ping)
PLAIN(USAGE, usage)
PLAIN(UPDATE_USAGE, update_usage)
PLAIN(POOL_INFO, pool_info)
PLAIN(DAEMON_STATUS, daemon_status)
PLAIN(RELOAD, reload)
PLAIN(LIMITS, limits)
PLAIN(STATISTICS, statistics)

/* ---- and the others ---------------------------------------------------------------------------
 */

void raw_allocate(struct raw_operation *operation, uint64_t length, int kind)
{
        BEGIN(ALLOCATE, allocate, allocate);
        operation->body.allocate.length = length;
        operation->body.allocate.kind = (Filemem__Kind)kind;
}

void raw_incref(struct raw_operation *operation, uint64_t start, uint64_t end)
{
        BEGIN(INCREF, incref, range);
        operation->body.range.start = start;
        operation->body.range.end = end;
}

void raw_decref(struct raw_operation *operation, uint64_t start, uint64_t end)
{
        BEGIN(DECREF, decref, range);
        operation->body.range.start = start;
        operation->body.range.end = end;
}

void raw_decommit(struct raw_operation *operation, uint64_t start, uint64_t end, bool shared)
{
        BEGIN(DECOMMIT, decommit, decommit);
        operation->body.decommit.start = start;
        operation->body.decommit.end = end;
        operation->body.decommit.shared = shared;
}

void raw_sessions(struct raw_operation *operation, uint64_t after, uint32_t limit)
{
        BEGIN(SESSIONS, sessions, sessions);
        operation->body.sessions.after = after;
        operation->body.sessions.limit = limit;
}

void raw_dump(struct raw_operation *operation, uint64_t from, uint32_t limit)
{
        BEGIN(DUMP, dump, dump);
        operation->body.dump.from = from;
        operation->body.dump.limit = limit;
}

void raw_open_peer(struct raw_operation *operation, bool read_only, const char *label)
{
        BEGIN(OPEN_PEER, open_peer, open_peer);
        operation->body.open_peer.read_only = read_only;
        operation->body.open_peer.label = (char *)(uintptr_t)label;
}

void raw_pools(struct raw_operation *operation, uint64_t after, uint32_t limit)
{
        BEGIN(POOLS, pools, pools);
        operation->body.pools.after = after;
        operation->body.pools.limit = limit;
}

void raw_destroy_pool(struct raw_operation *operation, const char *pool)
{
        BEGIN(DESTROY_POOL, destroy_pool, destroy_pool);
        operation->body.destroy_pool.pool = (char *)(uintptr_t)pool;
}

void raw_kick_session(struct raw_operation *operation, uint64_t session)
{
        BEGIN(KICK_SESSION, kick_session, kick_session);
        operation->body.kick_session.session = session;
}
