// SPDX-License-Identifier: Apache-2.0
#include "server/limit_reports.h"

#include "base/error.h"
#include "server/committed.h"
#include "server/pool_reports.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"

#include <errno.h>
#include <string.h>

/* More than all of it takes: seven names, and of each four times two numbers. */
#define LIMITS_REPORT_MAX 1024

/* What is not counted for a session or a user is not shown for it. */
static bool is_counted(enum limits_scope scope, enum limit limit)
{
        if (limit == LIMIT_COMMITTED)
                return scope == LIMITS_POOL || scope == LIMITS_TOTAL;
        return limit != LIMIT_SESSIONS || scope != LIMITS_SESSION;
}

static Filemem__Limit *describe_limit(
        struct arena *arena, const struct limits_account *account, enum limit limit)
{
        Filemem__Limit *report = arena_alloc(arena, sizeof(*report));

        if (!report)
                return NULL;
        filemem__limit__init(report);
        report->used = account->used[limit];
        report->maximum = account->set->maximum[limit];
        return report;
}

static Filemem__LimitReport *describe(
        struct arena *arena, struct limits_account *const *accounts, enum limit limit)
{
        Filemem__LimitReport *report = arena_alloc(arena, sizeof(*report));
        Filemem__Limit **fields[LIMITS_SCOPES];

        if (!report)
                return NULL;
        filemem__limit_report__init(report);
        report->name = (char *)(uintptr_t)limit_name(limit);
        fields[LIMITS_SESSION] = &report->session;
        fields[LIMITS_USER] = &report->user;
        fields[LIMITS_POOL] = &report->pool;
        fields[LIMITS_TOTAL] = &report->total;
        for (int scope = 0; scope < LIMITS_SCOPES; scope++) {
                if (!accounts[scope] || !is_counted((enum limits_scope)scope, limit))
                        continue;
                *fields[scope] = describe_limit(arena, accounts[scope], limit);
                if (!*fields[scope])
                        return NULL;
        }
        return report;
}

/* The accounts that were asked for: those of the session, but for the pool. */
static int choose_accounts(const struct request *request, const Filemem__Limits *query,
        struct limits_account *accounts[LIMITS_SCOPES])
{
        const struct session *session = request->session;
        struct served *served = session->served;
        int r = query->pool[0] ? pool_asked(request, query->pool, &served) : 0;

        if (r)
                return r;
        memcpy(accounts, session->charge.accounts, sizeof(session->charge.accounts));
        accounts[LIMITS_POOL] = served ? served->account : NULL;
        if (served)
                committed_note(served);
        return 0;
}

int report_limits(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        struct session *session = request->session;
        Filemem__LimitsReport *report = arena_alloc(request->arena, sizeof(*report));
        struct limits_account *accounts[LIMITS_SCOPES];
        int r;

        if (request_room(request) < LIMITS_REPORT_MAX)
                return OUTCOME_PAGE_NO_ROOM;
        if (!report)
                return -ENOMEM;
        session_settle(session);
        r = choose_accounts(request, operation->limits, accounts);
        if (r)
                return r;
        filemem__limits_report__init(report);
        report->limits = arena_alloc(request->arena, sizeof(Filemem__LimitReport *) * LIMIT_COUNT);
        if (!report->limits)
                return -ENOMEM;
        for (; report->n_limits < LIMIT_COUNT; report->n_limits++) {
                Filemem__LimitReport *limit =
                        describe(request->arena, accounts, (enum limit)report->n_limits);

                if (!limit)
                        return -ENOMEM;
                report->limits[report->n_limits] = limit;
        }
        result->body_case = FILEMEM__RESULT__BODY_LIMITS;
        result->limits = report;
        return 0;
}
