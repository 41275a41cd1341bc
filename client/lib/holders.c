// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "page.h"

#include <errno.h>

#define KNOWN SIZED_TO(struct filemem_holder, more)

struct holders_page {
        struct page page;
        uint64_t *next;   /* where to go on though there was nobody; 0: nowhere */
        uint64_t *hidden; /* may be NULL */
};

/* Identities ascend. */
static int take_page(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__HoldersPage *list = result->holders;
        const struct holders_page *holders = data;
        uint64_t after = holders->page.after;

        (void)session;
        if (list->n_holders > holders->page.to.count ||
                !page_goes_on(list->n_holders, list->next, after))
                return -EPROTO;
        *holders->next = list->next;
        for (size_t i = 0; i < list->n_holders; i++) {
                const Filemem__HolderReport *report = list->holders[i];
                struct filemem_holder holder;

                if (report->session <= after)
                        return -EPROTO;
                after = report->session;
                holder = (struct filemem_holder){
                        .session = report->session,
                        .held = report->held,
                        .most = report->most,
                        .more = report->more,
                };
                sized_put(&holders->page.to, i, &holder, KNOWN);
        }
        if (holders->hidden)
                *holders->hidden += list->hidden;
        return (int)list->n_holders;
}

int filemem_holders_sized(filemem_session *session, const char *pool, struct filemem_range range,
        uint64_t after, struct filemem_holder *holders, size_t count, uint64_t *hidden, size_t size)
{
        struct holders_page page = {page_begin(holders, count, size, after), &after, hidden};
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Holders question = FILEMEM__HOLDERS__INIT;
        int r;

        if (!session || !holders || !count || size < KNOWN)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        question.start = range.start;
        question.end = range.end;
        question.limit = (uint32_t)page.page.to.count;
        operation.body_case = FILEMEM__OPERATION__BODY_HOLDERS;
        operation.holders = &question;
        do {
                question.after = page.page.after = after;
                r = call_take(session, &operation, FILEMEM__RESULT__BODY_HOLDERS, take_page, &page);
        } while (r == 0 && after);
        return r;
}
