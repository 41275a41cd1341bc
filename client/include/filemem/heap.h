// SPDX-License-Identifier: Apache-2.0
#ifndef FILEMEM_HEAP_H
#define FILEMEM_HEAP_H

/*
 * libfilemem-heap: malloc() in the memory of a pool. It comes beside libfilemem, as a library of
 * its own (pkg-config libfilemem-heap, CMake filemem::heap), where jemalloc was there to build it.
 *
 *         filemem_heap *heap;
 *         struct filemem_object where;
 *
 *         filemem_heap_create(session, FILEMEM_ANONYMOUS, NULL, &heap);
 *         struct thing *thing = filemem_heap_alloc(heap, sizeof(*thing));
 *         filemem_heap_locate(heap, thing, &where);
 *         ... tell another process where; it takes a reference and maps:
 *                 filemem_incref(its_session, where.range);
 *                 filemem_map(its_session, where.range, PROT_READ, &address);
 *                 thing = (char *)address + (where.offset - where.range.start);
 *         filemem_heap_free(heap, thing);
 *         filemem_heap_destroy(heap);
 *
 * A heap is an arena of jemalloc whose memory is ranges that the session allocates as they are
 * needed, all of one kind. It grows by ranges of 2 MiB and more, which cost nothing until touched,
 * and what is freed goes back to the host (see `decay_ms`). The allocator's own records are in
 * private memory: who shares the pool sees objects, and cannot break the heap by writing to them.
 *
 * The jemalloc is a copy of the library's own: malloc() and free() of the program stay what they
 * are. $MALLOC_CONF is read by it too.
 *
 * Objects of others. The pages of an object can be held by other sessions, as in the example. Such
 * a reference keeps the pages, not the object: when the heap's owner frees the object its memory
 * may become another object, of this heap. So free it when the others have said that they are done.
 * When the heap is destroyed, or its process has died, the pages that others hold stay as they
 * were. Pages are shared whole, with the objects beside the one that was meant: the pool is the
 * boundary of trust. Objects of 16 KiB and more have pages to themselves.
 *
 * The end of the session. Destroy a heap before its session is closed. If the session has ended,
 * which a heap learns when it needs memory or gives some back, every allocation is refused from
 * then on: the daemon may have given the memory to somebody else. filemem_heap_free() never fails.
 *
 * Threads. All is thread safe but filemem_heap_destroy(), which has to be the last call. Each
 * thread has a cache of small objects in up to 64 heaps of a process; it is emptied when the thread
 * ends, or purges. A thread that allocates may wait for the daemon; others wait for it only if they
 * need new memory too.
 *
 * fork(). In the child allocations fail with ECHILD, filemem_heap_free() does nothing, and
 * filemem_heap_destroy() frees without disturbing the parent.
 */

#include <filemem/filemem.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct filemem_heap filemem_heap;

/* Freed memory never goes back by itself. */
#define FILEMEM_HEAP_KEEP (-1)
/* It goes back at once. */
#define FILEMEM_HEAP_AT_ONCE (-2)

struct filemem_heap_options {
        size_t size; /* sizeof(struct filemem_heap_options), so that it can grow */
        /*
         * How long freed memory is kept for reuse, in ms, about; 0: as jemalloc does, 10 s. What is
         * due is given back by the next calls on the heap: a process that makes none for long says
         * filemem_heap_purge(). Objects of 8 MiB and more go back at once, unless all is kept.
         */
        int64_t decay_ms;
        /*
         * Pages are stored by the kernel when the heap takes them, which this process pays for
         * (MADV_POPULATE_WRITE, Linux 5.14): where memory is short an allocation is refused, and
         * nothing becomes a SIGBUS later.
         */
        bool populate;
        /*
         * Ranges are kept until the heap is destroyed and only their pages given back, by
         * decommitting, which waits for the daemon. So the heap has few large ranges. Pages that
         * others hold too are not given back then. Default: ranges are released.
         */
        bool keep_ranges;
};

/*
 * Makes a heap in the session's pool. options may be NULL. Nothing is allocated yet. Returns 0;
 * -EINVAL; -EACCES in a session that may only read; -ERANGE where the process could not reserve a
 * window of addresses for the pool (RLIMIT_AS), for a heap needs one; -ENOSYS for `populate` where
 * the kernel has no MADV_POPULATE_WRITE; -ECHILD; -ENOMEM.
 */
FILEMEM_API int filemem_heap_create(filemem_session *session, enum filemem_kind kind,
        const struct filemem_heap_options *options, filemem_heap **ret);

/*
 * Gives all of it back, objects that are left included. Waits for nothing but sending. NULL is
 * fine. Returns NULL. No other thread may be in a call.
 */
FILEMEM_API filemem_heap *filemem_heap_destroy(filemem_heap *heap);

/*
 * An object of `size` bytes, 0 being as 1, aligned for any type. Its contents are undefined; those
 * of filemem_heap_calloc(), count * size bytes, are zeros. alignment: a power of two. NULL with
 * errno where there is none: ENOMEM (the pool, or the process, is full), EDQUOT (a limit),
 * ECONNRESET (the session has ended), ECHILD, EINVAL (alignment). filemem_last_error() has the
 * daemon's sentence.
 */
FILEMEM_API void *filemem_heap_alloc(filemem_heap *heap, size_t size)
        __attribute__((malloc, alloc_size(2)));
FILEMEM_API void *filemem_heap_calloc(filemem_heap *heap, size_t count, size_t size)
        __attribute__((malloc, alloc_size(2, 3)));
FILEMEM_API void *filemem_heap_aligned_alloc(filemem_heap *heap, size_t alignment, size_t size)
        __attribute__((malloc, alloc_size(3), alloc_align(2)));

/*
 * Makes an object larger or smaller, in place or by moving it, and returns it. object NULL: a new
 * one. size 0 is as 1: it never frees. NULL with errno as above, and then the object is as it was.
 * Who was told where it is has to be told again.
 */
FILEMEM_API void *filemem_heap_realloc(filemem_heap *heap, void *object, size_t size)
        __attribute__((alloc_size(3)));

/* Frees an object of this heap. NULL is fine. errno stays. */
FILEMEM_API void filemem_heap_free(filemem_heap *heap, void *object);

/* Bytes that an object may use: at least what was asked for. 0 for NULL. */
FILEMEM_API size_t filemem_heap_usable_size(filemem_heap *heap, const void *object);

/* Where an object is in the pool. */
struct filemem_object {
        uint64_t offset;            /* of its first byte */
        uint64_t length;            /* as filemem_heap_usable_size() */
        struct filemem_range range; /* the pages that it lies in: what another session holds */
};

/*
 * Where an object of this heap is in the pool, for other processes in it. A system call or a
 * message it costs none. Returns 0, -EINVAL for what cannot be an object, or -ECHILD.
 */
FILEMEM_API int filemem_heap_locate(
        filemem_heap *heap, const void *object, struct filemem_object *ret);

/*
 * The way back: the address, in this process, of an offset in the pool. It need not be of this
 * heap. Returns 0, -EINVAL beyond the pool, -ENOMEM, or -ECHILD.
 */
FILEMEM_API int filemem_heap_address(filemem_heap *heap, uint64_t offset, void **ret);

/*
 * Gives all unused memory back now, and what this thread's cache has. Other threads' caches stay.
 * Returns 0, or why the session has ended.
 */
FILEMEM_API int filemem_heap_purge(filemem_heap *heap);

/* Bytes. */
struct filemem_heap_usage {
        uint64_t held;    /* of ranges of the pool */
        uint64_t objects; /* of these, in objects and in the caches of threads */
        uint64_t unused;  /* of these, touched, free, and not yet given back */
};

/* Returns 0 or -ECHILD. */
FILEMEM_API int filemem_heap_usage_sized(
        filemem_heap *heap, struct filemem_heap_usage *ret, size_t size);
FILEMEM_INLINE int filemem_heap_usage(filemem_heap *heap, struct filemem_heap_usage *ret)
{
        return filemem_heap_usage_sized(heap, ret, sizeof(*ret));
}

#ifdef __cplusplus
}
#endif

#endif
