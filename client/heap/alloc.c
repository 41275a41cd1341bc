// SPDX-License-Identifier: Apache-2.0
#include "heap.h"

#include <errno.h>

/* More than this nobody has, and jemalloc wants to be asked for no more. */
#define SIZE_LIMIT ((size_t)INT64_MAX)

static void *refuse(int error)
{
        errno = error;
        return NULL;
}

/* Why there is no object. */
static void *explain(const filemem_heap *heap)
{
        int state, error = hooks_error();

        if (!heap)
                return refuse(EINVAL);
        state = atomic_load_explicit(&heap->state, memory_order_relaxed);
        if (state == HEAP_DEAD_CHILD)
                return refuse(ECHILD);
        if (state < 0)
                return refuse(-state);
        return refuse(error ? error : ENOMEM);
}

static void *alloc(filemem_heap *heap, size_t size, int flags)
{
        void *object;

        if (!heap || !heap_is_live(heap))
                return explain(heap);
        if (size > SIZE_LIMIT)
                return refuse(ENOMEM);
        object = filemem_je_mallocx(size ? size : 1, cache_flags(heap) | flags);
        return __builtin_expect(object != NULL, 1) ? object : explain(heap);
}

void *filemem_heap_alloc(filemem_heap *heap, size_t size)
{
        return alloc(heap, size, 0);
}

void *filemem_heap_calloc(filemem_heap *heap, size_t count, size_t size)
{
        size_t total;

        if (__builtin_mul_overflow(count, size, &total))
                return refuse(ENOMEM);
        return alloc(heap, total, MALLOCX_ZERO);
}

void *filemem_heap_aligned_alloc(filemem_heap *heap, size_t alignment, size_t size)
{
        if (!alignment || alignment & (alignment - 1))
                return refuse(EINVAL);
        if (alignment > SIZE_LIMIT)
                return refuse(ENOMEM);
        return alloc(heap, size, MALLOCX_LG_ALIGN(__builtin_ctzll(alignment)));
}

void *filemem_heap_realloc(filemem_heap *heap, void *object, size_t size)
{
        void *moved;

        if (!object)
                return alloc(heap, size, 0);
        if (!heap || !heap_is_live(heap))
                return explain(heap);
        if (size > SIZE_LIMIT)
                return refuse(ENOMEM);
        moved = filemem_je_rallocx(object, size ? size : 1, cache_flags(heap));
        return moved ? moved : explain(heap);
}

/* In a child the object is its parent's. */
void filemem_heap_free(filemem_heap *heap, void *object)
{
        int saved;

        if (!object || !heap || heap_is_child(heap))
                return;
        saved = errno;
        filemem_je_dallocx(object, cache_flags(heap));
        errno = saved;
}

size_t filemem_heap_usable_size(filemem_heap *heap, const void *object)
{
        return !object || !heap || heap_is_child(heap) ? 0 : filemem_je_sallocx(object, 0);
}
