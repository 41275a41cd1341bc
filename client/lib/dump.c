// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "page.h"

#include <errno.h>

#define KNOWN SIZED_TO(struct filemem_entry, estimated)

struct dump_page {
        struct page page;
        bool own;
};

/* own: of the session's pool. */
static bool is_entry(const filemem_session *session, bool own, const Filemem__DumpEntry *entry)
{
        if (own)
                return arguments_is_range(session, entry->start, entry->end);
        return arguments_is_pages(session, entry->start, entry->end);
}

/* Entries ascend and lie in the pool; the first one may begin before. */
static int take_page(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__DumpPage *list = result->dump;
        const struct dump_page *dump = data;
        uint64_t from = dump->page.after;

        if (list->n_entries > dump->page.to.count)
                return -EPROTO;
        for (size_t i = 0; i < list->n_entries; i++) {
                const Filemem__DumpEntry *report = list->entries[i];
                struct filemem_entry entry;

                if (!is_entry(session, dump->own, report) || report->end <= from ||
                        (i > 0 && report->start < from))
                        return -EPROTO;
                from = report->end;
                entry = (struct filemem_entry){
                        .range = {report->start, report->end},
                        .kind = (enum filemem_kind)report->kind,
                        .refs = report->refs,
                        .committed = report->committed,
                        .estimated = report->estimated,
                };
                sized_put(&dump->page.to, i, &entry, KNOWN);
        }
        return (int)list->n_entries;
}

int filemem_dump_of_sized(filemem_session *session, const char *pool, uint64_t from,
        struct filemem_entry *entries, size_t count, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Dump question = FILEMEM__DUMP__INIT;
        struct dump_page dump = {page_begin(entries, count, size, from), !pool};
        int r;

        if (!session || !entries || !count || size < KNOWN)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        question.from = from;
        question.limit = (uint32_t)dump.page.to.count;
        operation.body_case = FILEMEM__OPERATION__BODY_DUMP;
        operation.dump = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_DUMP, take_page, &dump);
}
