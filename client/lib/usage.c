// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include "arguments.h"
#include "call.h"
#include "sized.h"
#include "text.h"

#include <errno.h>
#include <sys/stat.h>

#define KNOWN SIZED_TO(struct filemem_usage, exact)

void usage_copy(const Filemem__UsageReport *report, struct filemem_usage *ret)
{
        *ret = (struct filemem_usage){
                .reclaimable = report->reclaimable,
                .reclaimable_committed = report->reclaimable_committed,
                .stray = report->stray,
                .total = report->total,
                .swapped = report->swapped,
                .age_ns = report->age_ns,
                .exact = report->exact,
        };
        for (size_t i = 0; i < report->n_kinds; i++) {
                unsigned kind = (unsigned)report->kinds[i]->kind;

                if (kind >= FILEMEM_KINDS)
                        continue; /* of a later daemon */
                ret->allocated[kind] = report->kinds[i]->allocated;
                ret->committed[kind] = report->kinds[i]->committed;
        }
}

static int take_usage(const filemem_session *session, const Filemem__Result *result, const void *to)
{
        struct filemem_usage usage;

        (void)session;
        usage_copy(result->usage, &usage);
        sized_put(to, 0, &usage, KNOWN);
        return 0;
}

/* pool_field: where the question, which is in the operation, has the name of the pool. */
static int ask(filemem_session *session, Filemem__Operation *operation, const char *pool,
        char **pool_field, struct filemem_usage *ret, size_t size)
{
        int r;

        if (!session || !ret || size < KNOWN)
                return -EINVAL;
        r = arguments_check_pool(session, pool, pool_field);
        if (r < 0)
                return r;
        return call_take(session, operation, FILEMEM__RESULT__BODY_USAGE, take_usage,
                &(struct sized){ret, size, 1});
}

int filemem_usage_of_sized(
        filemem_session *session, const char *pool, struct filemem_usage *ret, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Usage usage = FILEMEM__USAGE__INIT;

        operation.body_case = FILEMEM__OPERATION__BODY_USAGE;
        operation.usage = &usage;
        return ask(session, &operation, pool, &usage.pool, ret, size);
}

int filemem_update_usage_of_sized(
        filemem_session *session, const char *pool, struct filemem_usage *ret, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__UpdateUsage usage = FILEMEM__UPDATE_USAGE__INIT;

        operation.body_case = FILEMEM__OPERATION__BODY_UPDATE_USAGE;
        operation.update_usage = &usage;
        return ask(session, &operation, pool, &usage.pool, ret, size);
}

int filemem_total_usage(filemem_session *session, uint64_t *ret)
{
        struct stat info;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = arguments_check_call(session);
        if (r < 0)
                return r;
        if (session->memfd < 0)
                return text_set(session, -EACCES, "this session is in no pool");
        if (fstat(session->memfd, &info) < 0)
                return text_set(session, -errno, "the kernel does not say what the pool takes");
        *ret = (uint64_t)info.st_blocks * 512;
        return 0;
}
