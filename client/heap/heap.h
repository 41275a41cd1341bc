// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/heap.h"
#include "jemalloc.h"

#include <stdatomic.h>

/*
 * The inside of a heap. It is in memory that a forked child finds zeroed, so that one load tells a
 * child and the end of the session.
 *
 *   heap.c    create, destroy, purge
 *   alloc.c   objects: what is called often
 *   hooks.c   what jemalloc calls for memory
 *   cache.c   which cache of jemalloc's a thread uses
 *   place.c   addresses and offsets
 */
#define HEAP_DEAD_CHILD 0
#define HEAP_LIVE       1

/* jemalloc numbers its caches up to here. */
#define HEAP_CACHES 4096

/* A heap that got none of the numbers that threads keep caches by: it works without. */
#define HEAP_NO_SLOT (-1)

struct filemem_heap {
        extent_hooks_t hooks; /* first: jemalloc hands its address back */
        atomic_int state;     /* HEAP_LIVE, HEAP_DEAD_CHILD, or the negative errno of its end */

        /* constants */
        int flags; /* for jemalloc: the arena */
        int slot;
        uint64_t id; /* no other heap has it, of a parent neither */
        unsigned arena;
        filemem_session *session; /* borrowed */
        enum filemem_kind kind;
        bool populate;
        bool keep_ranges; /* until it is destroyed */
        size_t page_size;
        uint64_t capacity;
        unsigned char *base; /* where the pool's first byte is, or would be */

        atomic_uint_fast64_t held;
        atomic_uint_fast64_t released; /* how often */
        uint64_t lost_before;          /* refused releases of the session, when the heap began */
        atomic_bool careful; /* releases were refused: the next ones wait for the answer */

        /* Under the lock of cache.c. */
        uint64_t caches[HEAP_CACHES / 64]; /* numbers in use, as bits */
        unsigned leaving;                  /* threads that are giving theirs up */
};

static inline bool heap_is_live(const filemem_heap *heap)
{
        return __builtin_expect(
                atomic_load_explicit(&heap->state, memory_order_relaxed) == HEAP_LIVE, 1);
}

static inline bool heap_is_child(const filemem_heap *heap)
{
        return atomic_load_explicit(&heap->state, memory_order_relaxed) == HEAP_DEAD_CHILD;
}

/* The session has ended, with a negative errno. The first one who says so is believed. */
void heap_end(filemem_heap *heap, int error);

/* ---- hooks.c --------------------------------------------------------------------------------- */

void hooks_init(extent_hooks_t *hooks);

/* Why this thread was last refused memory, since it was last given some: an errno, or 0. */
int hooks_error(void);

/* ---- cache.c --------------------------------------------------------------------------------- */

/* Gives the heap its slot, if there is one left. Returns 0 or -ENOMEM. */
int cache_register(filemem_heap *heap);

/* No thread ending now touches the heap any more; its caches are emptied and gone. */
void cache_unregister(filemem_heap *heap);

/* Which cache this thread uses in which heap, by slot; NULL before the first. */
struct cache_entry {
        uint64_t id; /* of the heap; 0: of none */
        int flags;
};
extern _Thread_local struct cache_entry *cache_entries;

/* The first call of this thread on that heap. Without memory for a cache it goes without. */
int cache_attach(filemem_heap *heap);

/* The flags for jemalloc of this thread on that heap: the arena, and a cache or none. */
static inline int cache_flags(filemem_heap *heap)
{
        const struct cache_entry *entries = cache_entries;
        int slot = heap->slot;

        if (__builtin_expect(entries && slot >= 0 && entries[slot].id == heap->id, 1))
                return entries[slot].flags;
        return cache_attach(heap);
}

/* Empties what this thread keeps of that heap. */
void cache_flush(filemem_heap *heap);
