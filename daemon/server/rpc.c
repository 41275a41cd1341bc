// SPDX-License-Identifier: Apache-2.0
#include "server/rpc.h"

#include "server/administration.h"
#include "server/handlers.h"
#include "server/holding_reports.h"
#include "server/limit_reports.h"
#include "server/peers.h"
#include "server/pool_reports.h"
#include "server/reports.h"
#include "server/trace.h"
#include "server/views.h"

#include <stddef.h>

#define BODY(name) FILEMEM__OPERATION__BODY_##name

/* Indexed by the case: the fields of Operation are numbered nearly without gaps. */
static const struct rpc rpcs[] = {
        [BODY(PING)] = {BODY(PING), .run = handle_ping},
        [BODY(ALLOCATE)] = {BODY(ALLOCATE), .changes = true, .run = handle_allocate,
                .takes_long = allocate_takes_long, .begin = begin_allocate,
                .finish = finish_allocate},
        [BODY(INCREF)] = {BODY(INCREF), .changes = true, .run = handle_incref},
        [BODY(DECREF)] = {BODY(DECREF), .changes = true, .run = handle_decref},
        [BODY(DECOMMIT)] = {BODY(DECOMMIT), .changes = true, .begin = begin_decommit,
                .finish = finish_decommit},
        [BODY(USAGE)] = {BODY(USAGE), .run = handle_usage},
        [BODY(UPDATE_USAGE)] = {BODY(UPDATE_USAGE), .begin = begin_update_usage,
                .finish = finish_update_usage},
        [BODY(POOL_INFO)] = {BODY(POOL_INFO), .run = report_pool},
        [BODY(DAEMON_STATUS)] = {BODY(DAEMON_STATUS), .run = report_status},
        [BODY(SESSIONS)] = {BODY(SESSIONS), .lists = true, .run = report_sessions},
        [BODY(DUMP)] = {BODY(DUMP), .lists = true, .run = report_dump},
        [BODY(OPEN_PEER)] = {BODY(OPEN_PEER), .run = handle_open_peer},
        [BODY(POOLS)] = {BODY(POOLS), .lists = true, .run = report_pools},
        [BODY(DESTROY_POOL)] = {BODY(DESTROY_POOL), .once = true, .run = handle_destroy_pool},
        [BODY(KICK_SESSION)] = {BODY(KICK_SESSION), .once = true, .run = handle_kick_session},
        [BODY(LIMITS)] = {BODY(LIMITS), .lists = true, .run = report_limits},
        [BODY(STATISTICS)] = {BODY(STATISTICS), .run = handle_statistics},
        [BODY(HOLDINGS)] = {BODY(HOLDINGS), .lists = true, .run = report_holdings},
        [BODY(HOLDERS)] = {BODY(HOLDERS), .lists = true, .run = report_holders},
        [BODY(TRACE)] = {BODY(TRACE), .lists = true, .run = report_trace},
        [BODY(TRIM)] = {BODY(TRIM), .begin = begin_trim, .finish = finish_trim},
        [BODY(RELOAD)] = {BODY(RELOAD), .once = true, .begin = begin_reload,
                .finish = finish_reload},
};

const struct rpc *rpc_find(const Filemem__Operation *operation)
{
        size_t body = (size_t)operation->body_case;

        if (body >= sizeof(rpcs) / sizeof(rpcs[0]) || rpcs[body].body != operation->body_case ||
                operation->body_case == FILEMEM__OPERATION__BODY__NOT_SET)
                return NULL;
        return &rpcs[body];
}
