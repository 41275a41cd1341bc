// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "text.h"

#include <errno.h>

static uint32_t page_limit(size_t count)
{
        return (uint32_t)(count < WIRE_PAGE_MAX ? count : WIRE_PAGE_MAX);
}

/* Of any pool: its capacity is not known here. */
static bool is_range(const filemem_session *session, uint64_t start, uint64_t end)
{
        return start < end && ((start | end) & (session->page_size - 1)) == 0;
}

/* Returns how many were copied, or -EPROTO: offsets ascend, or the caller would never end. */
static int copy_holdings(const filemem_session *session, const Filemem__HoldingsPage *page,
        uint64_t from, struct filemem_holding *holdings, size_t count)
{
        if (page->n_holdings > count)
                return -EPROTO;
        for (size_t i = 0; i < page->n_holdings; i++) {
                const Filemem__Holding *holding = page->holdings[i];

                if (!is_range(session, holding->start, holding->end) || holding->start < from)
                        return -EPROTO;
                from = holding->end;
                holdings[i] = (struct filemem_holding){
                        .range = {holding->start, holding->end},
                        .kind = (enum filemem_kind)holding->kind,
                        .count = holding->count,
                        .refs = holding->refs,
                        .committed = holding->committed,
                        .estimated = holding->estimated,
                };
        }
        return (int)page->n_holdings;
}

/* One page. *ret_next: where to go on though there was nothing; 0: nowhere. */
static int ask_holdings(filemem_session *session, Filemem__Holdings *question,
        struct filemem_holding *holdings, uint64_t *ret_next)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        operation.body_case = FILEMEM__OPERATION__BODY_HOLDINGS;
        operation.holdings = question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_HOLDINGS, &exchange, &result);
        if (r < 0)
                return r;
        *ret_next = result->holdings->next;
        r = copy_holdings(session, result->holdings, question->from, holdings, question->limit);
        if (r == 0 && *ret_next && *ret_next <= question->from)
                r = -EPROTO;
        if (r < 0)
                text_set(session, r, "the daemon's list of holdings makes no sense");
        call_end(session, exchange);
        return r;
}

int filemem_holdings(filemem_session *session, uint64_t id, uint64_t from,
        struct filemem_holding *holdings, size_t count)
{
        Filemem__Holdings question = FILEMEM__HOLDINGS__INIT;
        int r;

        if (!session || !holdings || !count)
                return -EINVAL;
        question.session = id;
        question.limit = page_limit(count);
        do {
                question.from = from;
                r = ask_holdings(session, &question, holdings, &from);
        } while (r == 0 && from);
        return r;
}

/* As above: identities ascend. */
static int copy_holders(const Filemem__HoldersPage *page, uint64_t after,
        struct filemem_holder *holders, size_t count)
{
        if (page->n_holders > count)
                return -EPROTO;
        for (size_t i = 0; i < page->n_holders; i++) {
                const Filemem__HolderReport *report = page->holders[i];

                if (report->session <= after)
                        return -EPROTO;
                after = report->session;
                holders[i] = (struct filemem_holder){
                        .session = report->session,
                        .held = report->held,
                        .most = report->most,
                        .more = report->more,
                };
        }
        return (int)page->n_holders;
}

static int ask_holders(filemem_session *session, Filemem__Holders *question,
        struct filemem_holder *holders, uint64_t *ret_next, uint64_t *hidden)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        operation.body_case = FILEMEM__OPERATION__BODY_HOLDERS;
        operation.holders = question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_HOLDERS, &exchange, &result);
        if (r < 0)
                return r;
        *ret_next = result->holders->next;
        r = copy_holders(result->holders, question->after, holders, question->limit);
        if (r == 0 && *ret_next && *ret_next <= question->after)
                r = -EPROTO;
        if (r < 0)
                text_set(session, r, "the daemon's list of holders makes no sense");
        else if (hidden)
                *hidden += result->holders->hidden;
        call_end(session, exchange);
        return r;
}

int filemem_holders(filemem_session *session, const char *pool, struct filemem_range range,
        uint64_t after, struct filemem_holder *holders, size_t count, uint64_t *hidden)
{
        Filemem__Holders question = FILEMEM__HOLDERS__INIT;
        int r;

        if (!session || !holders || !count)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        question.start = range.start;
        question.end = range.end;
        question.limit = page_limit(count);
        do {
                question.after = after;
                r = ask_holders(session, &question, holders, &after, hidden);
        } while (r == 0 && after);
        return r;
}
