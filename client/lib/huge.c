// SPDX-License-Identifier: Apache-2.0
#include "huge.h"

#include "session.h"

#include <sys/mman.h>

/* Linux 6.1; not in the headers of Debian 12. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum state {
        STATE_NONE,
        STATE_WANTED,  /* to be asked for when it is mapped */
        STATE_ADVISED, /* asked for in the window */
};

/* Hugepages by their number, half-open; may be empty. */
struct units {
        size_t first;
        size_t end;
};

static struct units units_within(struct filemem_range range)
{
        return (struct units){(size_t)((range.start + HUGEPAGE_SIZE - 1) >> HUGEPAGE_SHIFT),
                (size_t)(range.end >> HUGEPAGE_SHIFT)};
}

static struct units units_touched(struct filemem_range range)
{
        return (struct units){(size_t)(range.start >> HUGEPAGE_SHIFT),
                (size_t)((range.end - 1) >> HUGEPAGE_SHIFT) + 1};
}

static size_t count_states(const filemem_session *session)
{
        return (size_t)(session->capacity >> HUGEPAGE_SHIFT) + 1;
}

void huge_init(filemem_session *session)
{
        void *states;

        if (!session->huge_advise || session->chunk_size < HUGEPAGE_SIZE ||
                window_make(&session->window) < 0 || !session->window.base)
                return;
        states = mmap(NULL, count_states(session), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (states != MAP_FAILED)
                session->huge.states = states;
}

void huge_deinit(filemem_session *session)
{
        if (session->huge.states)
                munmap(session->huge.states, count_states(session));
        session->huge.states = NULL;
}

static enum state get(const filemem_session *session, size_t unit)
{
        return atomic_load_explicit(&session->huge.states[unit], memory_order_relaxed);
}

static void set(filemem_session *session, size_t unit, enum state state)
{
        atomic_store_explicit(
                &session->huge.states[unit], (unsigned char)state, memory_order_relaxed);
}

static bool is_any(const filemem_session *session, struct units units, enum state state)
{
        for (size_t unit = units.first; unit < units.end; unit++)
                if (get(session, unit) == state)
                        return true;
        return false;
}

/* Tells the kernel of each run of units in that state, which are mapped. Under the lock. */
static void advise_runs(filemem_session *session, struct units units, enum state state, int advice)
{
        for (size_t unit = units.first; unit < units.end; unit++) {
                size_t first = unit;

                while (unit < units.end && get(session, unit) == state)
                        unit++;
                if (unit > first)
                        (void)madvise(session->window.base + ((uint64_t)first << HUGEPAGE_SHIFT),
                                (unit - first) << HUGEPAGE_SHIFT, advice);
        }
}

void huge_want(filemem_session *session, struct filemem_range range)
{
        struct units units = units_within(range);

        fence_take(session, range);
        if (!session->huge.states || units.first >= units.end)
                return;
        pthread_mutex_lock(&session->window.lock);
        for (size_t unit = units.first; unit < units.end; unit++)
                if (get(session, unit) == STATE_NONE)
                        set(session, unit, STATE_WANTED);
        pthread_mutex_unlock(&session->window.lock);
}

void huge_advise(filemem_session *session, struct filemem_range range)
{
        struct units units = units_within(range);

        fence_lift(session, range);
        if (!session->huge.states || !is_any(session, units, STATE_WANTED))
                return;
        pthread_mutex_lock(&session->window.lock);
        advise_runs(session, units, STATE_WANTED, MADV_HUGEPAGE);
        for (size_t unit = units.first; unit < units.end; unit++)
                if (get(session, unit) == STATE_WANTED)
                        set(session, unit, STATE_ADVISED);
        pthread_mutex_unlock(&session->window.lock);
}

void huge_collapse(filemem_session *session, struct filemem_range range)
{
        struct units units = units_within(range);

        if (session->huge.states && units.first < units.end)
                (void)madvise(session->window.base + ((uint64_t)units.first << HUGEPAGE_SHIFT),
                        (units.end - units.first) << HUGEPAGE_SHIFT, MADV_COLLAPSE);
}

void huge_advise_mapping(
        filemem_session *session, struct filemem_range range, unsigned char *address)
{
        struct units units = units_within(range);
        uint64_t start = (uint64_t)units.first << HUGEPAGE_SHIFT;

        /* Where address and offset differ in a hugepage, none can be mapped as one. */
        if (!session->huge.states || units.first >= units.end ||
                ((uintptr_t)address - range.start) & (HUGEPAGE_SIZE - 1) ||
                is_any(session, units, STATE_NONE))
                return;
        (void)madvise(address + (start - range.start), (units.end - units.first) << HUGEPAGE_SHIFT,
                MADV_HUGEPAGE);
}

void huge_forget(filemem_session *session, struct filemem_range range)
{
        struct units units = units_touched(range);

        fence_drop(session, range);
        if (!session->huge.states ||
                (!is_any(session, units, STATE_WANTED) && !is_any(session, units, STATE_ADVISED)))
                return;
        pthread_mutex_lock(&session->window.lock);
        advise_runs(session, units, STATE_ADVISED, MADV_NOHUGEPAGE);
        for (size_t unit = units.first; unit < units.end; unit++)
                set(session, unit, STATE_NONE);
        pthread_mutex_unlock(&session->window.lock);
}
