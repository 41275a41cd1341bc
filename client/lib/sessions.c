// SPDX-License-Identifier: Apache-2.0
#include "call.h"
#include "page.h"
#include "text.h"

#include <errno.h>

#define KNOWN SIZED_TO(struct filemem_session_info, waiting)

/* NULL of an older daemon. */
static void copy_activity(const Filemem__Activity *activity, struct filemem_session_info *info)
{
        if (!activity)
                return;
        info->idle_ns = activity->idle_ns;
        info->operations = activity->operations;
        info->refusals = activity->refusals;
        info->allocated = activity->allocated;
        info->released = activity->released;
        info->queued = activity->queued;
        info->waiting = activity->waiting;
}

static void copy_session(const Filemem__SessionReport *report, struct filemem_session_info *info)
{
        *info = (struct filemem_session_info){
                .session = report->session,
                .pid = report->pid,
                .uid = report->uid,
                .gid = report->gid,
                .age_ns = report->age_ns,
                .held = report->held,
                .holdings = report->holdings,
                .requests = report->requests,
                .read_only = report->read_only,
                .parent = report->parent,
        };
        copy_activity(report->activity, info);
        text_copy(info->label, sizeof(info->label), report->label);
        text_copy(info->pool, sizeof(info->pool), report->pool);
}

/* Identities ascend. */
static int take_page(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__SessionsPage *list = result->sessions;
        const struct page *page = data;
        uint64_t after = page->after;

        (void)session;
        if (list->n_sessions > page->to.count)
                return -EPROTO;
        for (size_t i = 0; i < list->n_sessions; i++) {
                struct filemem_session_info info;

                if (list->sessions[i]->session <= after)
                        return -EPROTO;
                after = list->sessions[i]->session;
                copy_session(list->sessions[i], &info);
                sized_put(&page->to, i, &info, KNOWN);
        }
        return (int)list->n_sessions;
}

int filemem_sessions_sized(filemem_session *session, uint64_t after,
        struct filemem_session_info *infos, size_t count, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Sessions question = FILEMEM__SESSIONS__INIT;
        struct page page = page_begin(infos, count, size, after);

        if (!session || !infos || !count || size < KNOWN)
                return -EINVAL;
        question.after = after;
        question.limit = (uint32_t)page.to.count;
        operation.body_case = FILEMEM__OPERATION__BODY_SESSIONS;
        operation.sessions = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_SESSIONS, take_page, &page);
}
