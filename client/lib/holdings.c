// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "page.h"

#include <errno.h>

#define KNOWN SIZED_TO(struct filemem_holding, estimated)

struct holdings_page {
        struct page page;
        uint64_t *next; /* where to go on though there was nothing; 0: nowhere */
};

/* Offsets ascend. */
static int take_page(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__HoldingsPage *list = result->holdings;
        const struct holdings_page *holdings = data;
        uint64_t from = holdings->page.after;

        if (list->n_holdings > holdings->page.to.count ||
                !page_goes_on(list->n_holdings, list->next, from))
                return -EPROTO;
        *holdings->next = list->next;
        for (size_t i = 0; i < list->n_holdings; i++) {
                const Filemem__Holding *report = list->holdings[i];
                struct filemem_holding holding;

                if (!arguments_is_pages(session, report->start, report->end) ||
                        report->start < from)
                        return -EPROTO;
                from = report->end;
                holding = (struct filemem_holding){
                        .range = {report->start, report->end},
                        .kind = (enum filemem_kind)report->kind,
                        .count = report->count,
                        .refs = report->refs,
                        .committed = report->committed,
                        .estimated = report->estimated,
                };
                sized_put(&holdings->page.to, i, &holding, KNOWN);
        }
        return (int)list->n_holdings;
}

int filemem_holdings_sized(filemem_session *session, uint64_t id, uint64_t from,
        struct filemem_holding *holdings, size_t count, size_t size)
{
        struct holdings_page page = {page_begin(holdings, count, size, from), &from};
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Holdings question = FILEMEM__HOLDINGS__INIT;
        int r;

        if (!session || !holdings || !count || size < KNOWN)
                return -EINVAL;
        question.session = id;
        question.limit = (uint32_t)page.page.to.count;
        operation.body_case = FILEMEM__OPERATION__BODY_HOLDINGS;
        operation.holdings = &question;
        do {
                question.from = page.page.after = from;
                r = call_take(
                        session, &operation, FILEMEM__RESULT__BODY_HOLDINGS, take_page, &page);
        } while (r == 0 && from);
        return r;
}
