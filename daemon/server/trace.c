// SPDX-License-Identifier: Apache-2.0
#include "server/trace.h"

#include "base/clock.h"
#include "base/error.h"
#include "proto/status.h"
#include "server/pool_reports.h"
#include "server/reports.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"
#include "server/viewer.h"

#include <errno.h>
#include <stdlib.h>

/* A page has 512 of them, and is asked for ten times a second, or at once when it was full. */
#define RING 4096

/* Who has not asked for so long has forgotten it. */
#define PATIENCE (10 * NSEC_PER_SEC)

struct trace_event {
        uint64_t at; /* clock_now() */
        uint64_t session;
        uint64_t start;
        uint64_t end;
        uint32_t operation; /* its number in the protocol */
        uint32_t kind;
        int status;
};

/* What is watched. */
struct scope {
        bool all;         /* not only sessions of the same user */
        uint64_t pool;    /* its id; 0: any */
        uint64_t session; /* 0: any */
        uint32_t sample;  /* one of so many */
};

struct tracer {
        LIST_ENTRY(tracer) link;
        struct session *owner;
        struct scope scope;
        uint32_t passed; /* since the last one that was taken */
        uint64_t asked_at;
        uint64_t lost;
        size_t first; /* in the ring */
        size_t count;
        struct trace_event ring[RING];
};

/* ---- what happens ---------------------------------------------------------------------------- */

static bool is_wanted(struct tracer *tracer, const struct session *session)
{
        const struct scope *scope = &tracer->scope;

        if (session == tracer->owner || (scope->session && scope->session != session->id))
                return false;
        if (scope->pool && (!session->served || session->served->id != scope->pool))
                return false;
        if (!scope->all && !identity_is_same(tracer->owner->uid, session->uid))
                return false;
        if (++tracer->passed < scope->sample)
                return false;
        tracer->passed = 0;
        return true;
}

static void set_range(struct trace_event *event, const Filemem__Range *range)
{
        event->start = range->start;
        event->end = range->end;
}

static void describe(struct trace_event *event, const Filemem__Operation *operation,
        const Filemem__Result *result, int r)
{
        switch (operation->body_case) {
        case FILEMEM__OPERATION__BODY_ALLOCATE:
                event->kind = (uint32_t)operation->allocate->kind;
                event->end = operation->allocate->length;
                if (!r && result->body_case == FILEMEM__RESULT__BODY_ALLOCATED) {
                        event->start = result->allocated->start;
                        event->end = result->allocated->end;
                }
                break;
        case FILEMEM__OPERATION__BODY_INCREF:
                set_range(event, operation->incref);
                break;
        case FILEMEM__OPERATION__BODY_DECREF:
                set_range(event, operation->decref);
                break;
        case FILEMEM__OPERATION__BODY_DECOMMIT:
                event->start = operation->decommit->start;
                event->end = operation->decommit->end;
                break;
        default:
                break;
        }
}

static void push(struct tracer *tracer, const struct trace_event *event)
{
        if (tracer->count == RING) {
                tracer->first = (tracer->first + 1) % RING;
                tracer->count--;
                tracer->lost++;
        }
        tracer->ring[(tracer->first + tracer->count++) % RING] = *event;
}

static void tracer_free(struct tracer *tracer)
{
        tracer->owner->tracer = NULL;
        LIST_REMOVE(tracer, link);
        free(tracer);
}

void trace_note(const struct request *request, const Filemem__Operation *operation,
        const Filemem__Result *result, int r)
{
        const struct session *session = request->session;
        struct tracer *tracer = LIST_FIRST(&session->server->tracers), *next;
        struct trace_event event = {.session = session->id};

        for (; tracer; tracer = next) {
                next = LIST_NEXT(tracer, link);
                if (!is_wanted(tracer, session))
                        continue;
                if (!event.at) {
                        event.at = clock_now();
                        event.operation = (uint32_t)operation->body_case;
                        event.status = r ? error_status(r) : 0;
                        describe(&event, operation, result, r);
                }
                if (event.at - tracer->asked_at > PATIENCE)
                        tracer_free(tracer);
                else
                        push(tracer, &event);
        }
}

void trace_close(struct session *session)
{
        if (session->tracer)
                tracer_free(session->tracer);
}

/* ---- who watches ----------------------------------------------------------------------------- */

static bool is_room(const struct viewer *viewer)
{
        const struct session *session = viewer->session;
        unsigned count = 0, own = 0;
        const struct tracer *tracer;

        LIST_FOREACH (tracer, &session->server->tracers, link) {
                count++;
                own += tracer->owner->uid == session->uid;
        }
        return count < TRACERS_MAX && (viewer->is_admin || own < TRACERS_USER_MAX);
}

/* What somebody may watch: all, all in a pool that it administers, or what is of its user. A peer
 * is nobody's, and so watches nothing. Returns 0 or an outcome. */
static int choose_scope(
        const struct request *request, const Filemem__Trace *query, struct scope *ret)
{
        const struct session *session = request->session;
        struct served *served = NULL;
        struct session *target;
        struct viewer viewer;
        int r = query->pool[0] ? pool_asked(request, query->pool, &served) : 0;

        if (r)
                return r;
        if (session->parent)
                return OUTCOME_NOT_ADMIN;
        viewer_init(&viewer, session);
        if (query->session) {
                r = viewer_find(&viewer, query->session, &target);
                if (r)
                        return r;
        }
        *ret = (struct scope){
                .all = viewer.is_admin || query->session ||
                       (served && served_is_admin(served, &viewer.identity)),
                .pool = served ? served->id : 0,
                .session = query->session,
                .sample = query->sample ? query->sample : 1,
        };
        return session->tracer || is_room(&viewer) ? 0 : OUTCOME_TRACE_MANY;
}

static bool is_same(const struct scope *one, const struct scope *other)
{
        return one->all == other->all && one->pool == other->pool &&
               one->session == other->session && one->sample == other->sample;
}

/* It begins, or what it watches is another thing now. */
static void restart(struct tracer *tracer, const struct scope *scope)
{
        tracer->scope = *scope;
        tracer->passed = 0;
        tracer->lost = 0;
        tracer->first = tracer->count = 0;
}

/* Finds or makes what keeps the events. Returns 0, an outcome, or -ENOMEM. */
static int get_tracer(
        const struct request *request, const Filemem__Trace *query, struct tracer **ret)
{
        struct session *session = request->session;
        struct server *server = session->server;
        struct scope scope;
        int r = choose_scope(request, query, &scope);

        if (r)
                return r;
        if (!session->tracer) {
                struct tracer *tracer = calloc(1, sizeof(*tracer));

                if (!tracer)
                        return -ENOMEM;
                tracer->owner = session;
                session->tracer = tracer;
                LIST_INSERT_HEAD(&server->tracers, tracer, link);
                restart(tracer, &scope);
        } else if (!is_same(&session->tracer->scope, &scope)) {
                restart(session->tracer, &scope);
        }
        session->tracer->asked_at = clock_now();
        *ret = session->tracer;
        return 0;
}

/* ---- a page ---------------------------------------------------------------------------------- */

static void fill_event(const struct trace_event *event, uint64_t now, Filemem__TraceEvent *report)
{
        filemem__trace_event__init(report);
        report->age_ns = now - event->at;
        report->session = event->session;
        report->operation = event->operation;
        report->start = event->start;
        report->end = event->end;
        report->kind = (Filemem__Kind)event->kind;
        report->status = status_from_errno(event->status);
}

/* Moves as many as there is room for from the ring to the page. Returns 0 or -ENOMEM. */
static int take_events(struct tracer *tracer, struct arena *arena, size_t most, size_t room,
        Filemem__TracePage *page)
{
        size_t count = tracer->count < most ? tracer->count : most;
        Filemem__TraceEvent *reports = arena_alloc(arena, sizeof(*reports) * count);
        uint64_t now = clock_now();

        page->events = arena_alloc(arena, sizeof(Filemem__TraceEvent *) * count);
        if (!reports || !page->events)
                return -ENOMEM;
        while (page->n_events < count) {
                Filemem__TraceEvent *report = &reports[page->n_events];
                size_t size;

                fill_event(&tracer->ring[tracer->first], now, report);
                size = filemem__trace_event__get_packed_size(report) + REPORTS_ELEMENT_FRAME;
                if (size > room)
                        break;
                room -= size;
                page->events[page->n_events++] = report;
                tracer->first = (tracer->first + 1) % RING;
                tracer->count--;
        }
        page->lost = tracer->lost;
        page->more = tracer->count;
        tracer->lost = 0;
        return 0;
}

int report_trace(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__Trace *query = operation->trace;
        Filemem__TracePage *page = arena_alloc(request->arena, sizeof(*page));
        size_t room = request_room(request);
        size_t most = query->limit && query->limit < WIRE_PAGE_MAX ? query->limit : WIRE_PAGE_MAX;
        struct tracer *tracer;
        int r;

        if (room <= REPORTS_PAGE_FRAME + 16)
                return OUTCOME_PAGE_NO_ROOM;
        if (!page)
                return -ENOMEM;
        r = get_tracer(request, query, &tracer);
        if (r)
                return r;
        filemem__trace_page__init(page);
        r = take_events(tracer, request->arena, most, room - REPORTS_PAGE_FRAME - 16, page);
        if (r)
                return r;
        result->body_case = FILEMEM__RESULT__BODY_TRACE;
        result->trace = page;
        return 0;
}
