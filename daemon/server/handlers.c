// SPDX-License-Identifier: Apache-2.0
#include "server/handlers.h"

#include "base/clock.h"
#include "base/error.h"
#include "server/committed.h"
#include "server/pool_reports.h"
#include "server/request.h"
#include "server/state.h"

#include <errno.h>

int handle_ping(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        Filemem__Pong *pong = arena_alloc(request->arena, sizeof(*pong));

        (void)operation;
        if (!pong)
                return -ENOMEM;
        filemem__pong__init(pong);
        result->body_case = FILEMEM__RESULT__BODY_PONG;
        result->pong = pong;
        return 0;
}

/* ---- allocate ---------------------------------------------------------------------------------
 */

static void fill_allocated(
        Filemem__Allocated *allocated, struct range range, uint64_t size, Filemem__Result *result)
{
        filemem__allocated__init(allocated);
        allocated->start = range.start;
        allocated->end = range.end;
        allocated->size = size;
        result->body_case = FILEMEM__RESULT__BODY_ALLOCATED;
        result->allocated = allocated;
}

static bool is_mode(Filemem__Mode mode)
{
        return mode == FILEMEM__MODE__MODE_LAZY || mode == FILEMEM__MODE__MODE_COMMIT;
}

int handle_allocate(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__Allocate *allocate = operation->allocate;
        Filemem__Allocated *allocated = arena_alloc(request->arena, sizeof(*allocated));
        struct range range;
        uint64_t size;
        int r;

        if (!allocated)
                return -ENOMEM;
        if (!is_mode(allocate->mode))
                return OUTCOME_MODE_UNKNOWN;
        r = committed_check(request->session);
        if (r)
                return r;
        r = pool_allocate(request->session->holder, allocate->length, (unsigned)allocate->kind,
                &range, &size);
        if (r)
                return r;
        fill_allocated(allocated, range, size, result);
        return 0;
}

bool allocate_takes_long(const struct request *request, const Filemem__Operation *operation)
{
        Filemem__Mode mode = operation->allocate->mode;

        return mode == FILEMEM__MODE__MODE_COMMIT ||
               (is_mode(mode) && pool_verifies(request->session->served->pool));
}

void begin_allocate(struct request *request, const Filemem__Operation *operation)
{
        const Filemem__Allocate *allocate = operation->allocate;
        int r = committed_check(request->session);

        request->job.done = request_job_done;
        if (r)
                request_job_done(&request->job, r);
        else
                pool_prepare(&request->job, request->session->holder, allocate->length,
                        (unsigned)allocate->kind, allocate->mode == FILEMEM__MODE__MODE_COMMIT);
}

int finish_allocate(struct request *request, int job_result, Filemem__Result *result)
{
        const Filemem__Operation *operation = request->message->operations[request->index];
        Filemem__Allocated *allocated;

        if (job_result)
                return job_result;
        allocated = arena_alloc(request->arena, sizeof(*allocated));
        if (!allocated) {
                /* Nobody would know of it. Where that fails too, it goes with the session. */
                (void)pool_decref(request->session->holder, request->job.range);
                return -ENOMEM;
        }
        fill_allocated(allocated, request->job.range, request->job.size, result);
        allocated->committed = operation->allocate->mode == FILEMEM__MODE__MODE_COMMIT;
        return 0;
}

int recall_allocate(struct request *request, struct range range, Filemem__Result *result)
{
        const Filemem__Operation *operation = request->message->operations[request->index];
        Filemem__Allocated *allocated = arena_alloc(request->arena, sizeof(*allocated));
        struct pool_information information;

        if (!allocated)
                return -ENOMEM;
        pool_information(request->session->served->pool, &information);
        fill_allocated(allocated, range, information.size, result);
        allocated->committed = operation->allocate->mode == FILEMEM__MODE__MODE_COMMIT;
        return 0;
}

/* ---- references -------------------------------------------------------------------------------
 */

int handle_incref(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__Range *range = operation->incref;

        (void)result;
        return pool_incref(request->session->holder, (struct range){range->start, range->end});
}

int handle_decref(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const struct range range = {operation->decref->start, operation->decref->end};
        uint64_t from = request->from ? request->from : range.start;
        int r = pool_decref_part(request->session->holder, range, &from);

        (void)result;
        if (r || from >= range.end)
                return r;
        request->from = from;
        return REQUEST_AGAIN;
}

/* ---- usage ----------------------------------------------------------------------------------- */

/* All kinds with their numbers; NULL when out of memory. */
static Filemem__KindUsage **list_kinds(struct arena *arena, const struct pool_usage *usage)
{
        Filemem__KindUsage **list = arena_alloc(arena, sizeof(Filemem__KindUsage *) * KIND_COUNT);
        Filemem__KindUsage *kinds = arena_alloc(arena, sizeof(*kinds) * KIND_COUNT);

        if (!list || !kinds)
                return NULL;
        for (int kind = 0; kind < KIND_COUNT; kind++) {
                list[kind] = &kinds[kind];
                filemem__kind_usage__init(list[kind]);
                list[kind]->kind = (Filemem__Kind)kind;
                list[kind]->allocated = usage->allocated[kind];
                list[kind]->committed = usage->committed[kind];
        }
        return list;
}

static int report_usage(
        struct request *request, const struct served *served, Filemem__Result *result)
{
        Filemem__UsageReport *report = arena_alloc(request->arena, sizeof(*report));
        struct pool_usage usage;

        if (!report)
                return -ENOMEM;
        pool_usage(served->pool, &usage);
        filemem__usage_report__init(report);
        report->kinds = list_kinds(request->arena, &usage);
        if (!report->kinds)
                return -ENOMEM;
        report->n_kinds = KIND_COUNT;
        report->reclaimable = usage.reclaimable;
        report->reclaimable_committed = usage.reclaimable_committed;
        report->stray = usage.stray;
        report->total = usage.total;
        report->swapped = usage.swapped;
        report->age_ns = usage.scanned_at ? clock_now() - usage.scanned_at : UINT64_MAX;
        report->exact = usage.exact;
        result->body_case = FILEMEM__RESULT__BODY_USAGE;
        result->usage = report;
        return 0;
}

int handle_usage(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        struct served *served;
        int r = pool_asked(request, operation->usage->pool, &served);

        return r ? r : report_usage(request, served, result);
}

void begin_update_usage(struct request *request, const Filemem__Operation *operation)
{
        struct served *served;
        int r = pool_asked(request, operation->update_usage->pool, &served);

        if (r) {
                request_job_done(&request->job, r);
                return;
        }
        request->asked = served_use(served);
        request->job.done = request_job_done;
        pool_update_usage(&request->job, served->pool);
}

int finish_update_usage(struct request *request, int job_result, Filemem__Result *result)
{
        return job_result ? job_result : report_usage(request, request->asked, result);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void begin_decommit(struct request *request, const Filemem__Operation *operation)
{
        const Filemem__Decommit *decommit = operation->decommit;
        struct range range = {decommit->start, decommit->end};

        request->job.done = request_job_done;
        pool_decommit(&request->job, request->session->holder, range, decommit->shared);
}

int finish_decommit(struct request *request, int job_result, Filemem__Result *result)
{
        (void)request;
        (void)result;
        return job_result;
}
