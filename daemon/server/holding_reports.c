// SPDX-License-Identifier: Apache-2.0
#include "server/holding_reports.h"

#include "base/error.h"
#include "server/pool_reports.h"
#include "server/reports.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"
#include "server/viewer.h"

#include <errno.h>

/* ---- what a session holds -------------------------------------------------------------------- */

static void describe_holding(const struct pool_holding *holding, Filemem__Holding *report)
{
        filemem__holding__init(report);
        report->start = holding->range.start;
        report->end = holding->range.end;
        report->kind = (Filemem__Kind)holding->kind;
        report->count = holding->count;
        report->refs = holding->refs;
        report->committed = holding->committed;
        report->estimated = holding->estimated;
}

/* As many of them as fit into `room` bytes. Returns 0 or -ENOMEM. */
static int fill_holdings(struct arena *arena, const struct pool_holding *holdings, size_t count,
        size_t room, Filemem__HoldingsPage *page)
{
        Filemem__Holding *reports = arena_alloc(arena, sizeof(*reports) * count);

        page->holdings = arena_alloc(arena, sizeof(Filemem__Holding *) * count);
        if (!reports || !page->holdings)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                size_t size;

                describe_holding(&holdings[i], &reports[i]);
                size = filemem__holding__get_packed_size(&reports[i]) + REPORTS_ELEMENT_FRAME;
                if (size > room)
                        break;
                room -= size;
                page->holdings[page->n_holdings++] = &reports[i];
        }
        return 0;
}

static size_t choose_limit(uint32_t limit)
{
        return limit && limit < WIRE_PAGE_MAX ? limit : WIRE_PAGE_MAX;
}

int report_holdings(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__Holdings *query = operation->holdings;
        struct pool_holding *list = request->session->server->holdings;
        Filemem__HoldingsPage *page = arena_alloc(request->arena, sizeof(*page));
        size_t room = request_room(request), count = 0;
        struct session *target;
        struct viewer viewer;
        uint64_t next = 0;
        int r;

        viewer_init(&viewer, request->session);
        r = viewer_find(&viewer, query->session, &target);
        if (r)
                return r;
        if (room <= REPORTS_PAGE_FRAME)
                return OUTCOME_PAGE_NO_ROOM;
        if (!page)
                return -ENOMEM;
        filemem__holdings_page__init(page);
        if (target->holder)
                count = holder_list(
                        target->holder, query->from, list, choose_limit(query->limit), &next);
        if (fill_holdings(request->arena, list, count, room - REPORTS_PAGE_FRAME, page) < 0)
                return -ENOMEM;
        if (count && !page->n_holdings)
                return OUTCOME_PAGE_NO_ROOM;
        page->next = page->n_holdings < count ? list[page->n_holdings].range.start : next;
        result->body_case = FILEMEM__RESULT__BODY_HOLDINGS;
        result->holdings = page;
        return 0;
}

/* ---- who holds a range ----------------------------------------------------------------------- */

/* What one message may cost the loop: sessions that are asked, and entries of theirs. */
#define HOLDERS_SESSIONS 2048
#define HOLDERS_ENTRIES  16384u

/* A HolderReport with every number at its largest, and its frame. */
#define HOLDER_REPORT_MAX 64

/* Adds a session that holds some of it. Returns 0 or -ENOMEM. */
static int add_holder(struct arena *arena, const struct viewer *viewer,
        const struct session *session, const struct holder_overlap *overlap,
        Filemem__HoldersPage *page)
{
        Filemem__HolderReport *report;

        if (!overlap->held && !overlap->more)
                return 0;
        if (!viewer_may_see(viewer, session)) {
                page->hidden++;
                return 0;
        }
        report = arena_alloc(arena, sizeof(*report));
        if (!report)
                return -ENOMEM;
        filemem__holder_report__init(report);
        report->session = session->id;
        report->held = overlap->held;
        report->most = overlap->most;
        report->more = overlap->more;
        page->holders[page->n_holders++] = report;
        return 0;
}

static int find_holders(struct request *request, const Filemem__Holders *query,
        const struct served *served, size_t most, Filemem__HoldersPage *page)
{
        struct server *server = request->session->server;
        struct session *session = server_find_session_after(server, query->after);
        unsigned sessions = HOLDERS_SESSIONS, entries = HOLDERS_ENTRIES;
        uint64_t last = query->after, hidden = 0;
        struct viewer viewer;
        int r = 0;

        viewer_init(&viewer, request->session);
        for (; session && r == 0; session = TAILQ_NEXT(session, link)) {
                struct holder_overlap overlap;

                if (page->n_holders == most || !sessions-- || !entries)
                        break;
                last = session->id;
                if (session->served != served || !session->holder || session->ended)
                        continue;
                holder_overlap(session->holder, (struct range){query->start, query->end}, &entries,
                        &overlap);
                r = add_holder(request->arena, &viewer, session, &overlap, page);
                if (page->n_holders && page->holders[page->n_holders - 1]->session == last)
                        hidden = page->hidden;
        }
        /* The asker goes on with the last that it sees: what is hidden after that comes again. */
        if (session && page->n_holders) {
                last = page->holders[page->n_holders - 1]->session;
                page->hidden = hidden;
        }
        page->next = session ? last : 0;
        return r;
}

int report_holders(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__Holders *query = operation->holders;
        size_t room = request_room(request), most = choose_limit(query->limit);
        Filemem__HoldersPage *page = arena_alloc(request->arena, sizeof(*page));
        struct pool_information pool;
        struct served *served;
        int r = pool_asked(request, query->pool, &served);

        if (r)
                return r;
        pool_information(served->pool, &pool);
        r = range_check((struct range){query->start, query->end}, pool.capacity, pool.page_size);
        if (r)
                return r;
        if (room < REPORTS_PAGE_FRAME + HOLDER_REPORT_MAX)
                return OUTCOME_PAGE_NO_ROOM;
        if (most > (room - REPORTS_PAGE_FRAME) / HOLDER_REPORT_MAX)
                most = (room - REPORTS_PAGE_FRAME) / HOLDER_REPORT_MAX;
        if (!page)
                return -ENOMEM;
        filemem__holders_page__init(page);
        page->holders = arena_alloc(request->arena, sizeof(Filemem__HolderReport *) * most);
        if (!page->holders)
                return -ENOMEM;
        r = find_holders(request, query, served, most, page);
        if (r)
                return r;
        result->body_case = FILEMEM__RESULT__BODY_HOLDERS;
        result->holders = page;
        return 0;
}
