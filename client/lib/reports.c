// SPDX-License-Identifier: Apache-2.0
#include "reports.h"

#include "arguments.h"
#include "call.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- usage ----------------------------------------------------------------------------------- */

void reports_copy_usage(const Filemem__UsageReport *report, struct filemem_usage *ret)
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

static int ask_usage(
        filemem_session *session, Filemem__Operation *operation, struct filemem_usage *ret)
{
        struct exchange *exchange;
        Filemem__Result *result;
        int r = call_begin(session, operation, FILEMEM__RESULT__BODY_USAGE, &exchange, &result);

        if (r < 0)
                return r;
        reports_copy_usage(result->usage, ret);
        call_end(session, exchange);
        return 0;
}

int filemem_usage_of(filemem_session *session, const char *pool, struct filemem_usage *ret)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Usage usage = FILEMEM__USAGE__INIT;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &usage.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_USAGE;
        operation.usage = &usage;
        return ask_usage(session, &operation, ret);
}

int filemem_usage(filemem_session *session, struct filemem_usage *ret)
{
        return filemem_usage_of(session, NULL, ret);
}

int filemem_update_usage_of(filemem_session *session, const char *pool, struct filemem_usage *ret)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__UpdateUsage usage = FILEMEM__UPDATE_USAGE__INIT;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &usage.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_UPDATE_USAGE;
        operation.update_usage = &usage;
        return ask_usage(session, &operation, ret);
}

int filemem_update_usage(filemem_session *session, struct filemem_usage *ret)
{
        return filemem_update_usage_of(session, NULL, ret);
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

/* ---- pool and daemon ------------------------------------------------------------------------- */

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

int filemem_pool_info_of(filemem_session *session, const char *pool, struct filemem_pool *ret)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__PoolInfo question = FILEMEM__POOL_INFO__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_POOL_INFO;
        operation.pool_info = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_POOL_INFO, &exchange, &result);
        if (r < 0)
                return r;
        copy_pool(result->pool_info, ret);
        call_end(session, exchange);
        return 0;
}

int filemem_pool_info(filemem_session *session, struct filemem_pool *ret)
{
        return filemem_pool_info_of(session, NULL, ret);
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

int filemem_status(filemem_session *session, struct filemem_status *ret)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__DaemonStatus question = FILEMEM__DAEMON_STATUS__INIT;
        const Filemem__StatusReport *report;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !ret)
                return -EINVAL;
        operation.body_case = FILEMEM__OPERATION__BODY_DAEMON_STATUS;
        operation.daemon_status = &question;
        r = call_begin(
                session, &operation, FILEMEM__RESULT__BODY_DAEMON_STATUS, &exchange, &result);
        if (r < 0)
                return r;
        report = result->daemon_status;
        *ret = (struct filemem_status){
                .pid = report->pid,
                .uptime_ns = report->uptime_ns,
                .pools = report->pools,
                .sessions = report->sessions,
                .sessions_total = report->sessions_total,
                .requests = report->requests,
                .operations = report->operations,
                .refusals = report->refusals,
                .protocol_errors = report->protocol_errors,
                .scans = report->scans,
                .reclaimed = report->reclaimed,
                .punches = report->punches,
                .punch_failures = report->punch_failures,
                .max_message = report->max_message,
                .max_operations = report->max_operations,
        };
        text_copy(ret->version, sizeof(ret->version), report->version);
        text_copy(ret->accounting, sizeof(ret->accounting), report->accounting);
        call_end(session, exchange);
        return 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

#define POOLS_MAX 128

/* A page that fits into memory of ours whatever is on it. */
static uint32_t page_limit(size_t count)
{
        return (uint32_t)(count < WIRE_PAGE_MAX ? count : WIRE_PAGE_MAX);
}

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

/* Returns how many were copied, or -EPROTO: identities ascend, or the caller would never end. */
static int copy_sessions(const Filemem__SessionsPage *page, uint64_t after,
        struct filemem_session_info *infos, size_t count)
{
        if (page->n_sessions > count)
                return -EPROTO;
        for (size_t i = 0; i < page->n_sessions; i++) {
                const Filemem__SessionReport *report = page->sessions[i];

                if (report->session <= after)
                        return -EPROTO;
                after = report->session;
                infos[i] = (struct filemem_session_info){
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
                copy_activity(report->activity, &infos[i]);
                text_copy(infos[i].label, sizeof(infos[i].label), report->label);
                text_copy(infos[i].pool, sizeof(infos[i].pool), report->pool);
        }
        return (int)page->n_sessions;
}

int filemem_sessions(
        filemem_session *session, uint64_t after, struct filemem_session_info *infos, size_t count)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Sessions question = FILEMEM__SESSIONS__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !infos || !count)
                return -EINVAL;
        question.after = after;
        question.limit = page_limit(count);
        operation.body_case = FILEMEM__OPERATION__BODY_SESSIONS;
        operation.sessions = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_SESSIONS, &exchange, &result);
        if (r < 0)
                return r;
        r = copy_sessions(result->sessions, after, infos, question.limit);
        if (r < 0)
                text_set(session, r, "the daemon's list of sessions makes no sense");
        call_end(session, exchange);
        return r;
}

/* As above. */
static int copy_pools(
        const Filemem__PoolsPage *page, uint64_t after, struct filemem_pool *pools, size_t count)
{
        if (page->n_pools > count)
                return -EPROTO;
        for (size_t i = 0; i < page->n_pools; i++) {
                if (page->pools[i]->id <= after)
                        return -EPROTO;
                after = page->pools[i]->id;
                copy_pool(page->pools[i], &pools[i]);
        }
        return (int)page->n_pools;
}

int filemem_pools(
        filemem_session *session, uint64_t after, struct filemem_pool *pools, size_t count)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Pools question = FILEMEM__POOLS__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !pools || !count)
                return -EINVAL;
        question.after = after;
        /* A report of more than 16 fields takes 1.5 KiB to decode. */
        question.limit = page_limit(count < POOLS_MAX ? count : POOLS_MAX);
        operation.body_case = FILEMEM__OPERATION__BODY_POOLS;
        operation.pools = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_POOLS, &exchange, &result);
        if (r < 0)
                return r;
        r = copy_pools(result->pools, after, pools, question.limit);
        if (r < 0)
                text_set(session, r, "the daemon's list of pools makes no sense");
        call_end(session, exchange);
        return r;
}

/* own: of the session's pool. The capacity of another one is not known here. */
static bool is_entry(const filemem_session *session, bool own, const Filemem__DumpEntry *entry)
{
        if (own)
                return arguments_is_range(session, entry->start, entry->end);
        return entry->start < entry->end &&
               ((entry->start | entry->end) & (session->page_size - 1)) == 0;
}

/* As above: entries ascend and lie in the pool. */
static int copy_entries(const filemem_session *session, bool own, const Filemem__DumpPage *page,
        uint64_t from, struct filemem_entry *entries, size_t count)
{
        if (page->n_entries > count)
                return -EPROTO;
        for (size_t i = 0; i < page->n_entries; i++) {
                const Filemem__DumpEntry *entry = page->entries[i];

                if (!is_entry(session, own, entry) || entry->end <= from ||
                        (i > 0 && entry->start < from))
                        return -EPROTO;
                from = entry->end;
                entries[i] = (struct filemem_entry){
                        .range = {entry->start, entry->end},
                        .kind = (enum filemem_kind)entry->kind,
                        .refs = entry->refs,
                        .committed = entry->committed,
                        .estimated = entry->estimated,
                };
        }
        return (int)page->n_entries;
}

int filemem_dump_of(filemem_session *session, const char *pool, uint64_t from,
        struct filemem_entry *entries, size_t count)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Dump question = FILEMEM__DUMP__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session || !entries || !count)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &question.pool);
        if (r < 0)
                return r;
        question.from = from;
        question.limit = page_limit(count);
        operation.body_case = FILEMEM__OPERATION__BODY_DUMP;
        operation.dump = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_DUMP, &exchange, &result);
        if (r < 0)
                return r;
        r = copy_entries(session, !pool, result->dump, from, entries, question.limit);
        if (r < 0)
                text_set(session, r, "the daemon's list of entries makes no sense");
        call_end(session, exchange);
        return r;
}

int filemem_dump(
        filemem_session *session, uint64_t from, struct filemem_entry *entries, size_t count)
{
        return filemem_dump_of(session, NULL, from, entries, count);
}
