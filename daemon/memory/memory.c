// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "memory/budget.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

int memory_new(const struct memory_options *options, struct memory **ret)
{
        cleanup_(freep) struct memory *memory = calloc(1, sizeof(*memory));
        int r;

        if (!memory)
                return -ENOMEM;
        r = account_choose(options->accounting, &memory->accounting);
        if (r < 0)
                return r;
        memory->available = budget_available;
        memory->rest_pages = SCAN_REST_PAGES;
        lock_init(&memory->work_lock, LOCK_WORK);
        lock_condition_init(&memory->work_wake);
        TAILQ_INIT(&memory->work);
        TAILQ_INIT(&memory->later);
        lock_init(&memory->scan_lock, LOCK_SCAN);
        lock_condition_init(&memory->scan_wake);
        TAILQ_INIT(&memory->scans);
        *ret = steal_ptr(memory);
        return 0;
}

static void stop_thread(
        struct lock *lock, struct lock_condition *wake, bool *stop, pthread_t thread)
{
        lock_take(lock);
        *stop = true;
        lock_condition_signal(wake);
        lock_drop(lock);
        check(pthread_join(thread, NULL) == 0);
}

int memory_start(struct memory *memory)
{
        sigset_t all, before;
        int r;

        /* Signals are for the thread that runs the event loop. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&memory->reclaim_thread, NULL, reclaim_thread, memory);
        if (r == 0) {
                pthread_setname_np(memory->reclaim_thread, "reclaim");
                r = pthread_create(&memory->scan_thread, NULL, scan_thread, memory);
                if (r == 0)
                        pthread_setname_np(memory->scan_thread, "scan");
                else
                        stop_thread(&memory->work_lock, &memory->work_wake, &memory->work_stop,
                                memory->reclaim_thread);
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        memory->started = r == 0;
        return -r;
}

static void cancel(struct pool_job_list *jobs)
{
        struct pool_job *job;

        while ((job = TAILQ_FIRST(jobs))) {
                TAILQ_REMOVE(jobs, job, link);
                job->done(job, -ECANCELED);
        }
}

/* A pool that has any waiting is in one of the two lists. A range that was being prepared is its
 * holder's, and goes with it. */
static void cancel_work(struct pool_list *pools)
{
        struct pool *pool;

        TAILQ_FOREACH (pool, pools, work_link) {
                cancel(&pool->decommits);
                cancel(&pool->preparations);
                cancel(&pool->trims);
        }
}

void memory_stop(struct memory *memory)
{
        struct pool *pool;

        if (!memory)
                return;
        if (memory->started) {
                stop_thread(&memory->work_lock, &memory->work_wake, &memory->work_stop,
                        memory->reclaim_thread);
                stop_thread(&memory->scan_lock, &memory->scan_wake, &memory->scan_stop,
                        memory->scan_thread);
                memory->started = false;
        }
        /* Nobody else is left: no lock is needed, and done() may take its own. */
        cancel_work(&memory->work);
        cancel_work(&memory->later);
        while ((pool = TAILQ_FIRST(&memory->scans))) {
                TAILQ_REMOVE(&memory->scans, pool, scan_link);
                pool->scan_queued = false;
                cancel(&pool->askers);
        }
        retire_all(&memory->work);
        retire_all(&memory->later);
}

struct memory *memory_free(struct memory *memory)
{
        if (!memory)
                return NULL;
        memory_stop(memory);
        check(TAILQ_EMPTY(&memory->work) && TAILQ_EMPTY(&memory->later));
        lock_condition_deinit(&memory->scan_wake);
        lock_deinit(&memory->scan_lock);
        lock_condition_deinit(&memory->work_wake);
        lock_deinit(&memory->work_lock);
        free(memory);
        return NULL;
}

const struct histogram *memory_punch_times(const struct memory *memory)
{
        return &memory->punch_times;
}

const struct histogram *memory_scan_times(const struct memory *memory)
{
        return &memory->scan_times;
}

void memory_statistics(struct memory *memory, struct memory_statistics *ret)
{
        *ret = (struct memory_statistics){
                .accounting = account_name(memory->accounting),
                .scans = atomic_load_explicit(&memory->scan_count, memory_order_relaxed),
                .reclaimed = atomic_load_explicit(&memory->reclaimed, memory_order_relaxed),
                .punches = atomic_load_explicit(&memory->punch_count, memory_order_relaxed),
                .punch_failures =
                        atomic_load_explicit(&memory->punch_failures, memory_order_relaxed),
        };
}
