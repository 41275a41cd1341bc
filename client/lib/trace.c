// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

int filemem_trace(filemem_session *session, const struct filemem_trace_options *options,
        struct filemem_event *events, size_t count, uint64_t *ret_lost)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Trace question = FILEMEM__TRACE__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !events || !count)
                return -EINVAL;
        r = fill_question(session, options, &question);
        if (r < 0)
                return r;
        question.limit = (uint32_t)(count < WIRE_PAGE_MAX ? count : WIRE_PAGE_MAX);
        operation.body_case = FILEMEM__OPERATION__BODY_TRACE;
        operation.trace = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_TRACE, &exchange, &result);
        if (r < 0)
                return r;
        if (result->trace->n_events > question.limit) {
                r = text_set(session, -EPROTO, "the daemon's list of events makes no sense");
        } else {
                r = (int)result->trace->n_events;
                for (int i = 0; i < r; i++)
                        copy_event(result->trace->events[i], &events[i]);
                if (ret_lost)
                        *ret_lost = result->trace->lost;
        }
        call_end(session, exchange);
        return r;
}
