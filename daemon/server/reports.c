// SPDX-License-Identifier: Apache-2.0
#include "server/reports.h"

#include "base/clock.h"
#include "base/error.h"
#include "server/pool_reports.h"
#include "server/request.h"
#include "server/state.h"
#include "server/viewer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(FILEMEM_VERSION) - 1 <= WIRE_VERSION_MAX, "WIRE_RESULT_MAX counts on it");

static char *text(const char *constant)
{
        return (char *)(uintptr_t)constant;
}

/* ---- status ---------------------------------------------------------------------------------- */

static void fill_status(const struct server *server, Filemem__StatusReport *report)
{
        report->version = text(FILEMEM_VERSION);
        report->pid = (uint32_t)getpid();
        report->uptime_ns = clock_now() - server->started_at;
        report->pools = (uint32_t)server->pools.count;
        report->sessions = server->open_sessions;
        report->sessions_total = server->statistics.sessions_total;
        report->requests = server->statistics.requests;
        report->operations = server->statistics.operations;
        report->refusals = server->statistics.refusals;
        report->protocol_errors = server->statistics.protocol_errors;
        report->max_message = WIRE_MESSAGE_MAX;
        report->max_operations = WIRE_OPERATIONS_MAX;
}

int report_status(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const struct server *server = request->session->server;
        Filemem__StatusReport *report = arena_alloc(request->arena, sizeof(*report));
        struct memory_statistics memory;

        (void)operation;
        if (!report)
                return -ENOMEM;
        memory_statistics(server->memory, &memory);
        filemem__status_report__init(report);
        fill_status(server, report);
        report->accounting = text(memory.accounting);
        report->scans = memory.scans;
        report->reclaimed = memory.reclaimed;
        report->punches = memory.punches;
        report->punch_failures = memory.punch_failures;
        result->body_case = FILEMEM__RESULT__BODY_DAEMON_STATUS;
        result->daemon_status = report;
        return 0;
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* A copy: session and pool may be gone when the reply is encoded. NULL when out of memory. */
static char *copy_text(struct arena *arena, const char *from)
{
        char *copy = arena_alloc(arena, strlen(from) + 1);

        return copy ? strcpy(copy, from) : NULL;
}

/* NULL when out of memory. */
static Filemem__Activity *describe_activity(
        struct arena *arena, const struct session *session, uint64_t now)
{
        const struct activity *activity = &session->activity;
        Filemem__Activity *report = arena_alloc(arena, sizeof(*report));

        if (!report)
                return NULL;
        filemem__activity__init(report);
        report->idle_ns = now > activity->active_at ? now - activity->active_at : 0;
        report->operations = activity->operations;
        report->refusals = activity->refusals;
        report->allocated = activity->allocated;
        report->released = activity->released;
        report->queued = session->charge.amounts[LIMIT_REPLIES];
        report->waiting = session->parked != NULL;
        return report;
}

/* NULL when out of memory. */
static Filemem__SessionReport *describe_session(
        struct arena *arena, const struct session *session, uint64_t now)
{
        Filemem__SessionReport *report = arena_alloc(arena, sizeof(*report));
        char *label = copy_text(arena, session->label);
        char *pool = copy_text(arena, session->served ? served_name(session->served) : "");
        Filemem__Activity *activity = describe_activity(arena, session, now);
        struct holder_information holder = {0};

        if (!report || !label || !pool || !activity)
                return NULL;
        if (session->holder)
                holder_information(session->holder, &holder);
        filemem__session_report__init(report);
        report->session = session->id;
        report->pid = session->pid;
        report->uid = session->uid;
        report->gid = session->gid;
        report->label = label;
        report->pool = pool;
        report->age_ns = now - session->opened_at;
        report->held = holder.held;
        report->holdings = holder.holdings;
        report->requests = session->requests;
        report->read_only = session->read_only;
        report->parent = session->parent;
        report->activity = activity;
        return report;
}

/* Whether so many sessions are all that was asked for, or all that one page has. */
static bool is_full(const Filemem__Sessions *query, size_t count)
{
        return count == WIRE_PAGE_MAX || (query->limit && count == query->limit);
}

/*
 * Finds the sessions after `after` that `room` is enough for. Returns 0, OUTCOME_PAGE_NO_ROOM if it
 * is for not one of them, or -ENOMEM.
 */
static int find_sessions(struct request *request, const Filemem__Sessions *query, size_t room,
        size_t *ret_count, uint64_t *ret_next)
{
        struct server *server = request->session->server;
        uint64_t now = clock_now(), last = 0;
        struct session *session;
        struct viewer viewer;
        size_t count = 0;

        viewer_init(&viewer, request->session);
        session = server_find_session_after(server, query->after);
        for (; session; session = TAILQ_NEXT(session, link)) {
                Filemem__SessionReport *report;
                size_t size;

                if (!viewer_is_shown(&viewer, session))
                        continue;
                if (is_full(query, count))
                        break;
                report = describe_session(request->arena, session, now);
                if (!report)
                        return -ENOMEM;
                size = filemem__session_report__get_packed_size(report) + REPORTS_ELEMENT_FRAME;
                if (size > room && !count)
                        return OUTCOME_PAGE_NO_ROOM;
                if (size > room)
                        break;
                room -= size;
                server->found[count++] = report;
                server->listed = session;
                last = session->id;
        }
        *ret_count = count;
        *ret_next = session ? last : 0;
        return 0;
}

int report_sessions(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        Filemem__SessionsPage *page = arena_alloc(request->arena, sizeof(*page));
        size_t room = request_room(request), count;
        uint64_t next;
        int r;

        if (room <= REPORTS_PAGE_FRAME)
                return OUTCOME_PAGE_NO_ROOM;
        r = find_sessions(request, operation->sessions, room - REPORTS_PAGE_FRAME, &count, &next);
        if (r)
                return r;
        if (!page)
                return -ENOMEM;
        filemem__sessions_page__init(page);
        page->sessions = arena_alloc(request->arena, sizeof(Filemem__SessionReport *) * count);
        if (!page->sessions)
                return -ENOMEM;
        memcpy(page->sessions, request->session->server->found,
                sizeof(Filemem__SessionReport *) * count);
        page->n_sessions = count;
        page->next = next;
        result->body_case = FILEMEM__RESULT__BODY_SESSIONS;
        result->sessions = page;
        return 0;
}

/* ---- dump ------------------------------------------------------------------------------------ */

static void describe_entry(const struct pool_entry *entry, Filemem__DumpEntry *dump)
{
        filemem__dump_entry__init(dump);
        dump->start = entry->range.start;
        dump->end = entry->range.end;
        dump->kind = (Filemem__Kind)entry->kind;
        dump->refs = entry->refs;
        dump->committed = entry->committed;
        dump->estimated = entry->estimated;
}

/* How many of the entries fit into `room` bytes. */
static size_t count_fitting(const struct pool_entry *entries, size_t count, size_t room)
{
        for (size_t i = 0; i < count; i++) {
                Filemem__DumpEntry dump;
                size_t size;

                describe_entry(&entries[i], &dump);
                size = filemem__dump_entry__get_packed_size(&dump) + REPORTS_ELEMENT_FRAME;
                if (size > room)
                        return i;
                room -= size;
        }
        return count;
}

static int fill_dump(struct arena *arena, const struct pool_entry *entries, size_t count,
        Filemem__DumpPage *page)
{
        Filemem__DumpEntry *dumps = arena_alloc(arena, sizeof(*dumps) * count);

        page->entries = arena_alloc(arena, sizeof(Filemem__DumpEntry *) * count);
        if (!dumps || !page->entries)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                describe_entry(&entries[i], &dumps[i]);
                page->entries[i] = &dumps[i];
        }
        page->n_entries = count;
        return 0;
}

int report_dump(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__Dump *query = operation->dump;
        struct server *server = request->session->server;
        Filemem__DumpPage *page = arena_alloc(request->arena, sizeof(*page));
        size_t room = request_room(request), asked = WIRE_PAGE_MAX, count, fitting;
        struct served *served;
        uint64_t next;
        int r = pool_asked(request, query->pool, &served);

        if (r)
                return r;
        if (room <= REPORTS_PAGE_FRAME)
                return OUTCOME_PAGE_NO_ROOM;
        room -= REPORTS_PAGE_FRAME;
        if (query->limit && query->limit < asked)
                asked = query->limit;
        count = pool_dump(served->pool, query->from, server->entries, asked, &next);
        fitting = count_fitting(server->entries, count, room);
        if (count && !fitting)
                return OUTCOME_PAGE_NO_ROOM;
        if (!page)
                return -ENOMEM;
        filemem__dump_page__init(page);
        if (fill_dump(request->arena, server->entries, fitting, page) < 0)
                return -ENOMEM;
        page->next = fitting < count ? server->entries[fitting - 1].range.end : next;
        result->body_case = FILEMEM__RESULT__BODY_DUMP;
        result->dump = page;
        return 0;
}
