// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "text.h"

#include <errno.h>

static void copy_use(const Filemem__Limit *limit, struct filemem_limit_use *ret)
{
        *ret = (struct filemem_limit_use){0};
        if (!limit)
                return;
        ret->counted = true;
        ret->used = limit->used;
        ret->maximum = limit->maximum;
}

static void copy_limit(const Filemem__LimitReport *report, struct filemem_limit *ret)
{
        text_copy(ret->name, sizeof(ret->name), report->name);
        copy_use(report->session, &ret->session);
        copy_use(report->user, &ret->user);
        copy_use(report->pool, &ret->pool);
        copy_use(report->total, &ret->total);
}

int filemem_limits_of(
        filemem_session *session, const char *pool, struct filemem_limit *limits, size_t count)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Limits question = FILEMEM__LIMITS__INIT;
        const Filemem__LimitsReport *report;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || (!limits && count))
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_LIMITS;
        operation.limits = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_LIMITS, &exchange, &result);
        if (r < 0)
                return r;
        report = result->limits;
        for (size_t i = 0; i < report->n_limits && i < count; i++)
                copy_limit(report->limits[i], &limits[i]);
        r = (int)report->n_limits;
        call_end(session, exchange);
        return r;
}

int filemem_limits(filemem_session *session, struct filemem_limit *limits, size_t count)
{
        return filemem_limits_of(session, NULL, limits, count);
}
