// SPDX-License-Identifier: Apache-2.0
#include "call.h"
#include "sized.h"
#include "text.h"

#include <errno.h>

#define KNOWN SIZED_TO(struct filemem_status, max_operations)

static int take_status(
        const filemem_session *session, const Filemem__Result *result, const void *to)
{
        const Filemem__StatusReport *report = result->daemon_status;
        struct filemem_status status;

        (void)session;
        status = (struct filemem_status){
                .pid = report->pid,
                .uptime_ns = report->uptime_ns,
                .pools = report->pools,
                .sessions = report->sessions,
                .sessions_total = report->sessions_total,
                .requests = report->requests,
                .operations = report->operations,
                .refusals = report->refusals,
                .protocol_errors = report->protocol_errors,
                .scans = report->scans,
                .reclaimed = report->reclaimed,
                .punches = report->punches,
                .punch_failures = report->punch_failures,
                .max_message = report->max_message,
                .max_operations = report->max_operations,
        };
        text_copy(status.version, sizeof(status.version), report->version);
        text_copy(status.accounting, sizeof(status.accounting), report->accounting);
        sized_put(to, 0, &status, KNOWN);
        return 0;
}

int filemem_status_sized(filemem_session *session, struct filemem_status *ret, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__DaemonStatus question = FILEMEM__DAEMON_STATUS__INIT;

        if (!session || !ret || size < KNOWN)
                return -EINVAL;
        operation.body_case = FILEMEM__OPERATION__BODY_DAEMON_STATUS;
        operation.daemon_status = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_DAEMON_STATUS, take_status,
                &(struct sized){ret, size, 1});
}
