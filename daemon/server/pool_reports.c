// SPDX-License-Identifier: Apache-2.0
#include "server/pool_reports.h"

#include "base/error.h"
#include "server/identity.h"
#include "server/reports.h"
#include "server/request.h"
#include "server/state.h"

#include <errno.h>
#include <string.h>

static bool may_ask(
        const struct session *session, const struct identity *identity, const struct served *served)
{
        if (served == session->served)
                return true;
        return !session->parent && served_may_ask(served, identity);
}

int pool_asked(const struct request *request, const char *name, struct served **ret)
{
        const struct session *session = request->session;
        struct identity identity;
        struct served *served;

        if (!name[0] || (session->served && strcmp(name, served_name(session->served)) == 0)) {
                *ret = session->served;
                return session->served ? 0 : OUTCOME_POOL_NONE;
        }
        if (session->parent)
                return OUTCOME_NOT_ADMIN;
        served = pools_find(&session->server->pools, name);
        if (!served)
                return OUTCOME_POOL_UNKNOWN;
        identity_ask(session, &identity);
        if (!may_ask(session, &identity, served))
                return OUTCOME_NOT_ADMIN;
        *ret = served;
        return 0;
}

static Filemem__PoolState get_state(const struct served *served)
{
        switch (served->state) {
        case SERVED_DRAINING:
                return FILEMEM__POOL_STATE__POOL_DRAINING;
        case SERVED_DESTROYED:
                return FILEMEM__POOL_STATE__POOL_DESTROYED;
        case SERVED_OPEN:
        default:
                return FILEMEM__POOL_STATE__POOL_OPEN;
        }
}

static void fill_usage(const struct served *served, Filemem__PoolReport *report)
{
        struct pool_usage usage;

        pool_usage(served->pool, &usage);
        for (int kind = 0; kind < KIND_COUNT; kind++) {
                report->allocated += usage.allocated[kind];
                report->committed += usage.committed[kind];
        }
}

/* NULL when out of memory. Copies the name: the pool may be gone when the reply is encoded. */
static Filemem__PoolReport *describe_pool(struct arena *arena, const struct served *served)
{
        Filemem__PoolReport *report = arena_alloc(arena, sizeof(*report));
        char *name = arena_alloc(arena, strlen(served_name(served)) + 1);
        struct pool_information pool;

        if (!report || !name)
                return NULL;
        pool_information(served->pool, &pool);
        filemem__pool_report__init(report);
        report->name = strcpy(name, pool.name);
        report->capacity = pool.capacity;
        report->size = pool.size;
        report->page_size = pool.page_size;
        report->hugepage_size = HUGEPAGE_SIZE;
        report->chunk_size = CHUNK_SIZE;
        report->exec = pool.exec;
        report->zero_verify = pool.zero_verify;
        report->huge_advise = pool.huge_advise;
        report->entries = pool.entries;
        report->sessions = served->sessions;
        report->metadata = pool.metadata;
        report->leased = pool.leased;
        report->id = served->id;
        report->state = get_state(served);
        report->private_pool = served->is_private;
        report->uid = served->is_private ? served->uid : 0;
        fill_usage(served, report);
        return report;
}

int report_pool(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        struct served *served;
        int r = pool_asked(request, operation->pool_info->pool, &served);

        if (r)
                return r;
        result->pool_info = describe_pool(request->arena, served);
        if (!result->pool_info)
                return -ENOMEM;
        result->body_case = FILEMEM__RESULT__BODY_POOL_INFO;
        return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* As find_sessions(). */
static int find_pools(struct request *request, const Filemem__Pools *query, size_t room,
        Filemem__PoolReport **reports, Filemem__PoolsPage *page)
{
        const struct session *session = request->session;
        uint64_t most = query->limit && query->limit < WIRE_PAGE_MAX ? query->limit : WIRE_PAGE_MAX;
        const struct served *served;
        struct identity identity;
        uint64_t last = 0;

        identity_ask(session, &identity);
        TAILQ_FOREACH (served, &session->server->pools.list, link) {
                Filemem__PoolReport *report;
                size_t size;

                if (served->id <= query->after || !may_ask(session, &identity, served))
                        continue;
                if (page->n_pools == most)
                        break;
                report = describe_pool(request->arena, served);
                if (!report)
                        return -ENOMEM;
                size = filemem__pool_report__get_packed_size(report) + REPORTS_ELEMENT_FRAME;
                if (size > room && !page->n_pools)
                        return OUTCOME_PAGE_NO_ROOM;
                if (size > room)
                        break;
                room -= size;
                reports[page->n_pools++] = report;
                last = served->id;
        }
        page->next = served ? last : 0;
        return 0;
}

int report_pools(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        Filemem__PoolsPage *page = arena_alloc(request->arena, sizeof(*page));
        Filemem__PoolReport *reports[WIRE_PAGE_MAX];
        size_t room = request_room(request);
        int r;

        if (room <= REPORTS_PAGE_FRAME)
                return OUTCOME_PAGE_NO_ROOM;
        if (!page)
                return -ENOMEM;
        filemem__pools_page__init(page);
        r = find_pools(request, operation->pools, room - REPORTS_PAGE_FRAME, reports, page);
        if (r)
                return r;
        page->pools = arena_alloc(request->arena, sizeof(Filemem__PoolReport *) * page->n_pools);
        if (!page->pools)
                return -ENOMEM;
        memcpy(page->pools, reports, sizeof(Filemem__PoolReport *) * page->n_pools);
        result->body_case = FILEMEM__RESULT__BODY_POOLS;
        result->pools = page;
        return 0;
}
