// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "exchange.h"
#include "text.h"

#include <errno.h>
#include <string.h>

/* As take_options() of filemem_open(). */
static int take_options(const filemem_session *session, const struct filemem_peer_options *options,
        struct filemem_peer_options *ret)
{
        int r = arguments_check_call(session);

        *ret = (struct filemem_peer_options){.size = sizeof(*ret)};
        if (r < 0 || !options)
                return r;
        if (options->size < sizeof(*ret))
                return text_set(session, -EINVAL, "options have no size");
        memcpy(ret, options, sizeof(*ret));
        if (ret->label && strlen(ret->label) > WIRE_LABEL_MAX)
                return text_set(session, -EINVAL, "the label is too long");
        return 0;
}

int filemem_open_peer(
        filemem_session *session, const struct filemem_peer_options *options, int *ret_fd)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__OpenPeer query = FILEMEM__OPEN_PEER__INIT;
        struct filemem_peer_options known;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !ret_fd)
                return -EINVAL;
        r = take_options(session, options, &known);
        if (r < 0)
                return r;
        query.read_only = known.read_only;
        query.max_bytes = known.max_bytes;
        query.max_ranges = known.max_ranges;
        query.label = (char *)(uintptr_t)(known.label ? known.label : "");
        operation.body_case = FILEMEM__OPERATION__BODY_OPEN_PEER;
        operation.open_peer = &query;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_PEER_OPENED, &exchange, &result);
        if (r < 0)
                return r;
        if (exchange->message->fd < 0) {
                r = text_set(session, -EMFILE, "this process has no descriptor left");
        } else {
                *ret_fd = exchange->message->fd;
                exchange->message->fd = -1;
        }
        call_end(session, exchange);
        return r;
}
