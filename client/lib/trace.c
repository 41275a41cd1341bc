// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "page.h"

#include <errno.h>
#include <stdio.h>

#define KNOWN SIZED_TO(struct filemem_event, error)

/* The operation's name in the protocol, or its number if it is a later daemon's. */
static void name_operation(uint32_t number, char *ret, size_t size)
{
        const ProtobufCFieldDescriptor *field =
                protobuf_c_message_descriptor_get_field(&filemem__operation__descriptor, number);

        if (field)
                snprintf(ret, size, "%s", field->name);
        else
                snprintf(ret, size, "%u", number);
}

static void copy_event(const Filemem__TraceEvent *report, struct filemem_event *ret)
{
        *ret = (struct filemem_event){
                .age_ns = report->age_ns,
                .session = report->session,
                .range = {report->start, report->end},
                .kind = (enum filemem_kind)report->kind,
                .error = -(int)report->status, /* the values are those of errno */
        };
        name_operation(report->operation, ret->operation, sizeof(ret->operation));
}

/* The options as a message has them. Returns 0, -EINVAL or -ECHILD. */
static int fill_question(const filemem_session *session,
        const struct filemem_trace_options *options, Filemem__Trace *question)
{
        if (!options)
                return 0;
        if (options->size < sizeof(*options))
                return -EINVAL;
        question->session = options->session;
        question->sample = options->sample;
        return arguments_check_pool(session, options->pool, &question->pool);
}

struct events_page {
        struct page page;
        uint64_t *lost; /* may be NULL */
};

static int take_page(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__TracePage *list = result->trace;
        const struct events_page *events = data;

        (void)session;
        if (list->n_events > events->page.to.count)
                return -EPROTO;
        for (size_t i = 0; i < list->n_events; i++) {
                struct filemem_event event;

                copy_event(list->events[i], &event);
                sized_put(&events->page.to, i, &event, KNOWN);
        }
        if (events->lost)
                *events->lost = list->lost;
        return (int)list->n_events;
}

int filemem_trace_sized(filemem_session *session, const struct filemem_trace_options *options,
        struct filemem_event *events, size_t count, uint64_t *ret_lost, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Trace question = FILEMEM__TRACE__INIT;
        struct events_page page = {page_begin(events, count, size, 0), ret_lost};
        int r;

        if (!session || !events || !count || size < KNOWN)
                return -EINVAL;
        r = fill_question(session, options, &question);
        if (r < 0)
                return r;
        question.limit = (uint32_t)page.page.to.count;
        operation.body_case = FILEMEM__OPERATION__BODY_TRACE;
        operation.trace = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_TRACE, take_page, &page);
}
