// SPDX-License-Identifier: Apache-2.0
#include "memory/private.h"

/* Idle threads wait under the lock that is taken here: what they leave undone cannot be missed. */
static bool reclaim_has_work(struct memory *memory, uint64_t now)
{
        LOCK_SCOPE(&memory->work_lock);
        const struct pool *later = TAILQ_FIRST(&memory->later);

        return memory->work_busy || !TAILQ_EMPTY(&memory->work) || (later && later->due_at <= now);
}

static bool scan_has_work(struct memory *memory)
{
        LOCK_SCOPE(&memory->scan_lock);
        return memory->scan_busy || !TAILQ_EMPTY(&memory->scans);
}

void memory_progress(
        struct memory *memory, uint64_t now, struct memory_progress ret[MEMORY_THREADS])
{
        /* The steps last: one that is counted in between shows as progress, never as its lack. */
        bool reclaim = reclaim_has_work(memory, now), scan = scan_has_work(memory);

        ret[0] = (struct memory_progress){
                "reclaim", progress_steps(&memory->reclaim_progress), reclaim};
        ret[1] = (struct memory_progress){"scan", progress_steps(&memory->scan_progress), scan};
}
