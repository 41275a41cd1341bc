// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where a pool is in this process: chunks of its file, each mapped when it is first asked for. The
 * first one that is makes the window:
 *
 *   with a window      one reservation (PROT_NONE) of the whole capacity, and the chunks over it at
 *                      their offsets; neighbours are one VMA, and a range is contiguous;
 *   without            (the reservation failed: RLIMIT_AS) each chunk wherever the kernel puts it.
 *
 * Thread safe. An asked for chunk that is mapped costs one atomic load; the lock is for mapping.
 */
struct window {
        int fd; /* borrowed */
        uint64_t capacity;
        uint64_t chunk_size;
        unsigned chunk_shift;
        int protection; /* of the chunks */
        uint64_t chunks;

        /* Made by window_make(). */
        unsigned char *base; /* NULL: no window */
        void *reservation;   /* that it is in: larger, so that the base can be aligned */
        size_t reserved;
        /* The address of each chunk, 0: not mapped; at rest until touched. Written under lock. */
        atomic_uintptr_t *addresses;
        pthread_mutex_t lock;
        /* The protection again, when the window is made: who sees it sees all of that. Else 0. */
        atomic_int made;
};

/*
 * Takes no memory. chunk_size: a power of two, at least a page. capacity: a multiple of the page.
 * protection: what chunks are mapped for. A zeroed window is fine to be freed.
 */
void window_init(
        struct window *window, int fd, uint64_t capacity, uint64_t chunk_size, int protection);
void window_deinit(struct window *window);

/*
 * Makes the window, unless it is there: whoever looks at `base` has done that before. Returns 0 or
 * -ENOMEM, and then it can be tried again.
 */
int window_make(struct window *window);

/* In place of an address: the reservation there is lost, and something else may be mapped there. */
#define WINDOW_CHUNK_LOST ((uintptr_t)1)

/*
 * Where a range is that lies in one chunk, if that is mapped, for what is to be done there; else
 * NULL. Within the capacity and not empty. That nothing is mapped yet is the same question as what
 * may be done: so it costs nothing.
 */
static inline unsigned char *window_find(
        const struct window *window, uint64_t start, uint64_t end, int protection)
{
        size_t chunk = (size_t)(start >> window->chunk_shift);
        uintptr_t address;

        if (!protection || protection & ~atomic_load_explicit(&window->made, memory_order_acquire))
                return NULL;
        if ((size_t)((end - 1) >> window->chunk_shift) != chunk)
                return NULL;
        address = atomic_load_explicit(&window->addresses[chunk], memory_order_acquire);
        if (__builtin_expect(address <= WINDOW_CHUNK_LOST, 0))
                return NULL;
        return (unsigned char *)address + (start & (window->chunk_size - 1));
}

/*
 * Maps all chunks of [start, end), which lies within the capacity and is not empty. Returns 0, with
 * *ret where start is, or a negative errno. Without a window only the chunk of start is contiguous.
 */
int window_map(struct window *window, uint64_t start, uint64_t end, unsigned char **ret);

/* How many pieces [start, end) is in: 1, or the chunks that it touches. The window is made. */
uint64_t window_count_blocks(const struct window *window, uint64_t start, uint64_t end);
