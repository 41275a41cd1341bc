// SPDX-License-Identifier: Apache-2.0
#include "server/rpc.h"

#include "server/handlers.h"
#include "server/reports.h"

#include <stddef.h>

#define BODY(name) FILEMEM__OPERATION__BODY_##name

/* Indexed by the case: the fields of Operation are numbered without gaps. */
static const struct rpc rpcs[] = {
        [BODY(PING)] = {BODY(PING), .run = handle_ping},
        [BODY(ALLOCATE)] = {BODY(ALLOCATE), .run = handle_allocate},
        [BODY(INCREF)] = {BODY(INCREF), .run = handle_incref},
        [BODY(DECREF)] = {BODY(DECREF), .run = handle_decref},
        [BODY(DECOMMIT)] = {BODY(DECOMMIT), .begin = begin_decommit, .finish = finish_decommit},
        [BODY(USAGE)] = {BODY(USAGE), .run = handle_usage},
        [BODY(UPDATE_USAGE)] = {BODY(UPDATE_USAGE), .begin = begin_update_usage,
                .finish = finish_update_usage},
        [BODY(POOL_INFO)] = {BODY(POOL_INFO), .run = handle_pool_info},
        [BODY(DAEMON_STATUS)] = {BODY(DAEMON_STATUS), .run = report_status},
        [BODY(SESSIONS)] = {BODY(SESSIONS), .lists = true, .run = report_sessions},
        [BODY(DUMP)] = {BODY(DUMP), .lists = true, .run = report_dump},
};

const struct rpc *rpc_find(const Filemem__Operation *operation)
{
        size_t body = (size_t)operation->body_case;

        if (body >= sizeof(rpcs) / sizeof(rpcs[0]) || rpcs[body].body != operation->body_case ||
                operation->body_case == FILEMEM__OPERATION__BODY__NOT_SET)
                return NULL;
        return &rpcs[body];
}
