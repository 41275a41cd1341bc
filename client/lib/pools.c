// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "page.h"
#include "sized.h"
#include "text.h"

#include <errno.h>

/* A report of more than 16 fields takes 1.5 KiB to decode. */
#define POOLS_MAX 128

#define KNOWN SIZED_TO(struct filemem_pool, leased)

static void copy_pool(const Filemem__PoolReport *report, struct filemem_pool *ret)
{
        *ret = (struct filemem_pool){
                .capacity = report->capacity,
                .size = report->size,
                .page_size = report->page_size,
                .hugepage_size = report->hugepage_size,
                .chunk_size = report->chunk_size,
                .exec = report->exec,
                .zero_verify = report->zero_verify,
                .huge_advise = report->huge_advise,
                .entries = report->entries,
                .sessions = report->sessions,
                .metadata = report->metadata,
                .id = report->id,
                .state = (enum filemem_pool_state)report->state,
                .private_pool = report->private_pool,
                .uid = report->uid,
                .allocated = report->allocated,
                .committed = report->committed,
                .leased = report->leased,
        };
        text_copy(ret->name, sizeof(ret->name), report->name);
}

static int take_pool(const filemem_session *session, const Filemem__Result *result, const void *to)
{
        struct filemem_pool pool;

        (void)session;
        copy_pool(result->pool_info, &pool);
        sized_put(to, 0, &pool, KNOWN);
        return 0;
}

int filemem_pool_info_of_sized(
        filemem_session *session, const char *pool, struct filemem_pool *ret, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__PoolInfo question = FILEMEM__POOL_INFO__INIT;
        int r;

        if (!session || !ret || size < KNOWN)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_POOL_INFO;
        operation.pool_info = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_POOL_INFO, take_pool,
                &(struct sized){ret, size, 1});
}

int filemem_total_size(filemem_session *session, uint64_t *ret)
{
        struct filemem_pool pool;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = filemem_pool_info(session, &pool);
        if (r < 0)
                return r;
        if (pool.size > session->capacity)
                return text_set(session, -EPROTO, "the daemon's pool is larger than its capacity");
        *ret = pool.size;
        return 0;
}

/* Identities ascend. */
static int take_page(
        const filemem_session *session, const Filemem__Result *result, const void *data)
{
        const Filemem__PoolsPage *list = result->pools;
        const struct page *page = data;
        uint64_t after = page->after;

        (void)session;
        if (list->n_pools > page->to.count)
                return -EPROTO;
        for (size_t i = 0; i < list->n_pools; i++) {
                struct filemem_pool pool;

                if (list->pools[i]->id <= after)
                        return -EPROTO;
                after = list->pools[i]->id;
                copy_pool(list->pools[i], &pool);
                sized_put(&page->to, i, &pool, KNOWN);
        }
        return (int)list->n_pools;
}

int filemem_pools_sized(filemem_session *session, uint64_t after, struct filemem_pool *pools,
        size_t count, size_t size)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Pools question = FILEMEM__POOLS__INIT;
        struct page page = page_begin(pools, count < POOLS_MAX ? count : POOLS_MAX, size, after);

        if (!session || !pools || !count || size < KNOWN)
                return -EINVAL;
        question.after = after;
        question.limit = (uint32_t)page.to.count;
        operation.body_case = FILEMEM__OPERATION__BODY_POOLS;
        operation.pools = &question;
        return call_take(session, &operation, FILEMEM__RESULT__BODY_POOLS, take_page, &page);
}
