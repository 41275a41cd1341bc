// SPDX-License-Identifier: Apache-2.0
#include "heap.h"

#include <errno.h>
#include <sys/mman.h>

/*
 * What jemalloc asks for memory, and gives it back to. It calls these with locks of its own held:
 * nothing here may allocate from a heap, and the client library allocates nothing after opening.
 * They return what extent hooks do: true for a refusal, and then jemalloc tries the next that it
 * could do with pages it does not need: dalloc, decommit, purge_forced.
 */

/* So many releases are sent before one is waited for. */
#define RELEASES_UNSEEN 64

static _Thread_local int last_error;

int hooks_error(void)
{
        return last_error;
}

static filemem_heap *heap_of(extent_hooks_t *hooks)
{
        return (filemem_heap *)hooks;
}

/* Refusals that say nothing about the session. All else is its end. */
static bool is_passing(int error)
{
        return error == -ENOMEM || error == -EDQUOT || error == -EINVAL || error == -EBUSY ||
               error == -EIO || error == -ETIMEDOUT;
}

static void note(filemem_heap *heap, int error)
{
        last_error = -error;
        if (error < 0 && !is_passing(error))
                heap_end(heap, error);
}

static struct filemem_range range_of(const filemem_heap *heap, const void *address, size_t length)
{
        uint64_t start = (uint64_t)((const unsigned char *)address - heap->base);

        return (struct filemem_range){start, start + length};
}

/* ---- giving back ----------------------------------------------------------------------------- */

/* Returns 0, or a negative errno where the heap still has the range. */
static int release(filemem_heap *heap, struct filemem_range range, bool wait)
{
        int r = wait ? filemem_decref(heap->session, range) : filemem_release(heap->session, range);

        note(heap, r);
        if (r == 0)
                atomic_fetch_sub_explicit(
                        &heap->held, range.end - range.start, memory_order_relaxed);
        return r;
}

/*
 * A release that is refused, because it would cut one range too many, is memory that nobody uses
 * until the session ends. That is found out when one is waited for, which comes after the others'
 * refusals; from then on all are waited for, and what is refused is decommitted.
 */
static int release_some(filemem_heap *heap, struct filemem_range range)
{
        uint64_t before = atomic_fetch_add_explicit(&heap->released, 1, memory_order_relaxed);
        bool careful = atomic_load_explicit(&heap->careful, memory_order_relaxed);
        bool wait = careful || before % RELEASES_UNSEEN == RELEASES_UNSEEN - 1;
        int r = release(heap, range, wait);

        if (wait && !careful &&
                filemem_lost_errors(heap->session, NULL, NULL, 0) != heap->lost_before)
                atomic_store_explicit(&heap->careful, true, memory_order_relaxed);
        return r;
}

/* Where the session has ended there is nothing to be given back: it is forgotten. */
static bool hook_dalloc(
        extent_hooks_t *hooks, void *address, size_t size, bool committed, unsigned arena)
{
        filemem_heap *heap = heap_of(hooks);

        (void)committed;
        (void)arena;
        if (!heap_is_live(heap))
                return false;
        if (heap->keep_ranges)
                return true;
        return release_some(heap, range_of(heap, address, size)) < 0 && heap_is_live(heap);
}

/* The arena ends, so there is no second choice. */
static void hook_destroy(
        extent_hooks_t *hooks, void *address, size_t size, bool committed, unsigned arena)
{
        filemem_heap *heap = heap_of(hooks);

        (void)committed;
        (void)arena;
        if (heap_is_live(heap))
                (void)release(heap, range_of(heap, address, size), false);
}

static bool hook_decommit(extent_hooks_t *hooks, void *address, size_t size, size_t offset,
        size_t length, unsigned arena)
{
        filemem_heap *heap = heap_of(hooks);
        int r;

        (void)size;
        (void)arena;
        if (!heap_is_live(heap))
                return true;
        r = filemem_decommit(
                heap->session, range_of(heap, (unsigned char *)address + offset, length), 0);
        note(heap, r);
        return r < 0;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static int populate(void *address, size_t length)
{
        while (madvise(address, length, MADV_POPULATE_WRITE) < 0)
                if (errno != EINTR && errno != EAGAIN)
                        return errno == EFAULT || errno == EHWPOISON ? -ENOMEM : -errno;
        return 0;
}

static bool hook_commit(extent_hooks_t *hooks, void *address, size_t size, size_t offset,
        size_t length, unsigned arena)
{
        filemem_heap *heap = heap_of(hooks);
        int r;

        (void)size;
        (void)arena;
        if (!heap_is_live(heap))
                return true;
        r = heap->populate ? populate((unsigned char *)address + offset, length) : 0;
        last_error = -r;
        return r < 0;
}

/* Cuts a range down to `size` bytes that are aligned in this process. */
static void cut(filemem_heap *heap, struct filemem_range *range, size_t size, size_t alignment)
{
        uint64_t before = -(uintptr_t)(heap->base + range->start) & (alignment - 1);
        struct filemem_range kept = {range->start + before, range->start + before + size};

        if (kept.start > range->start)
                (void)release(heap, (struct filemem_range){range->start, kept.start}, false);
        if (range->end > kept.end)
                (void)release(heap, (struct filemem_range){kept.end, range->end}, false);
        *range = kept;
}

static bool is_aligned(const filemem_heap *heap, struct filemem_range range, size_t alignment)
{
        return ((uintptr_t)(heap->base + range.start) & (alignment - 1)) == 0;
}

static int take_range(filemem_heap *heap, uint64_t length, struct filemem_range *ret)
{
        int r = filemem_allocate(heap->session, length, heap->kind, ret);

        if (r == 0)
                atomic_fetch_add_explicit(&heap->held, length, memory_order_relaxed);
        return r;
}

/* As it comes, which is nearly always good, else with room for what has to be cut off. */
static int take_aligned(
        filemem_heap *heap, size_t size, size_t alignment, struct filemem_range *ret)
{
        size_t room;
        int r = take_range(heap, size, ret);

        if (r < 0 || is_aligned(heap, *ret, alignment))
                return r;
        (void)release(heap, *ret, false);
        if (__builtin_add_overflow(size, alignment - heap->page_size, &room))
                return -ENOMEM;
        r = take_range(heap, room, ret);
        if (r == 0)
                cut(heap, ret, size, alignment);
        return r;
}

/* new_addr: memory that follows an object; nobody can ask for a place in the pool. */
static void *hook_alloc(extent_hooks_t *hooks, void *new_addr, size_t size, size_t alignment,
        bool *zero, bool *commit, unsigned arena)
{
        filemem_heap *heap = heap_of(hooks);
        struct filemem_range range;
        void *address;
        int r;

        (void)arena;
        if (new_addr || !heap_is_live(heap))
                return NULL;
        r = take_aligned(heap, size, alignment, &range);
        note(heap, r);
        if (r < 0)
                return NULL;
        r = filemem_map(heap->session, range, PROT_READ | PROT_WRITE, &address);
        if (r == 0 && *commit && heap->populate)
                r = populate(address, size);
        if (r < 0) {
                (void)release(heap, range, false);
                note(heap, r);
                return NULL;
        }
        *zero = true;
        *commit = *commit || !heap->populate;
        return address;
}

/* ---- cutting and joining --------------------------------------------------------------------- */

/* References are counted by page: any piece of what is held can be given back. */
static bool hook_split(extent_hooks_t *hooks, void *address, size_t size, size_t size_a,
        size_t size_b, bool committed, unsigned arena)
{
        (void)hooks;
        (void)address;
        (void)size;
        (void)size_a;
        (void)size_b;
        (void)committed;
        (void)arena;
        return false;
}

static bool hook_merge(extent_hooks_t *hooks, void *address_a, size_t size_a, void *address_b,
        size_t size_b, bool committed, unsigned arena)
{
        (void)hooks;
        (void)address_a;
        (void)size_a;
        (void)address_b;
        (void)size_b;
        (void)committed;
        (void)arena;
        return false;
}

/* purge_lazy is left out: the kernel has no such thing for shared memory. */
void hooks_init(extent_hooks_t *hooks)
{
        *hooks = (extent_hooks_t){
                .alloc = hook_alloc,
                .dalloc = hook_dalloc,
                .destroy = hook_destroy,
                .commit = hook_commit,
                .decommit = hook_decommit,
                .purge_forced = hook_decommit,
                .split = hook_split,
                .merge = hook_merge,
        };
}
