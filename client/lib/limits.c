// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "sized.h"
#include "text.h"

#include <errno.h>

#define KNOWN SIZED_TO(struct filemem_limit, total)

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

static int take_limits(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__LimitsReport *report = result->limits;
        const struct sized *to = data;

        (void)session;
        for (size_t i = 0; i < report->n_limits && i < to->count; i++) {
                struct filemem_limit limit;

                copy_limit(report->limits[i], &limit);
                sized_put(to, i, &limit, KNOWN);
        }
        return (int)report->n_limits;
}

int filemem_limits_of_sized(filemem_session *session, const char *pool,
        struct filemem_limit *limits, size_t count, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Limits question = FILEMEM__LIMITS__INIT;
        int r;

        if (!session || (!limits && count) || size < KNOWN)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_LIMITS;
        operation.limits = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_LIMITS, take_limits,
                &(struct sized){limits, size, count});
}
