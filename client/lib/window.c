// SPDX-License-Identifier: Apache-2.0
#include "window.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void *reserve(size_t size)
{
        void *memory =
                mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

/*
 * Aligned like the chunks, so that huge pages of the file are huge pages of the mapping. What is
 * left over at both ends costs address space alone, and two system calls less.
 */
static void reserve_aligned(struct window *window)
{
        uint64_t alignment = window->chunk_size;
        unsigned char *memory;

        if (window->capacity > SIZE_MAX - alignment)
                return;
        memory = reserve((size_t)(window->capacity + alignment));
        if (!memory)
                return;
        window->reservation = memory;
        window->reserved = (size_t)(window->capacity + alignment);
        window->base = memory + (-(uintptr_t)memory & (alignment - 1));
}

void window_init(
        struct window *window, int fd, uint64_t capacity, uint64_t chunk_size, int protection)
{
        *window = (struct window){
                .fd = fd,
                .capacity = capacity,
                .chunk_size = chunk_size,
                .chunk_shift = (unsigned)__builtin_ctzll(chunk_size),
                .protection = protection,
                .chunks = capacity / chunk_size + (capacity % chunk_size != 0),
        };
        pthread_mutex_init(&window->lock, NULL);
}

/* The caller holds the lock. */
static int make(struct window *window)
{
        void *addresses;

        if (window->addresses)
                return 0; /* another thread was faster */
        if (window->chunks > SIZE_MAX / sizeof(atomic_uintptr_t))
                return -ENOMEM;
        addresses = mmap(NULL, (size_t)window->chunks * sizeof(atomic_uintptr_t),
                PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (addresses == MAP_FAILED)
                return -ENOMEM;
        reserve_aligned(window);
        window->addresses = addresses;
        atomic_store_explicit(&window->made, window->protection, memory_order_release);
        return 0;
}

int window_make(struct window *window)
{
        int r;

        if (atomic_load_explicit(&window->made, memory_order_acquire))
                return 0;
        pthread_mutex_lock(&window->lock);
        r = make(window);
        pthread_mutex_unlock(&window->lock);
        return r;
}

/* The last chunk may be cut: nothing is mapped beyond the capacity. */
static size_t chunk_length(const struct window *window, size_t chunk)
{
        uint64_t left = window->capacity - ((uint64_t)chunk << window->chunk_shift);

        return (size_t)(left < window->chunk_size ? left : window->chunk_size);
}

void window_deinit(struct window *window)
{
        if (!window->addresses)
                return;
        if (window->base)
                munmap(window->reservation, window->reserved);
        for (size_t i = 0; !window->base && i < window->chunks; i++) {
                uintptr_t address = atomic_load(&window->addresses[i]);

                if (address)
                        munmap((void *)address, chunk_length(window, i));
        }
        munmap(window->addresses, (size_t)window->chunks * sizeof(atomic_uintptr_t));
        window->addresses = NULL;
        atomic_store(&window->made, 0);
}

/*
 * Before Linux 6.12 an mmap() that failed may have removed what was there. The hole is closed
 * again; where that fails too the chunk is given up, for another mapping may be in the hole by now.
 */
static void restore_reservation(struct window *window, size_t chunk)
{
        void *place = window->base + ((uint64_t)chunk << window->chunk_shift);
        size_t length = chunk_length(window, chunk);

        if (mmap(place, length, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                    0) == MAP_FAILED &&
                errno != EEXIST)
                atomic_store(&window->addresses[chunk], WINDOW_CHUNK_LOST);
}

/* The caller holds the lock. */
static int map_chunk(struct window *window, size_t chunk)
{
        uint64_t offset = (uint64_t)chunk << window->chunk_shift;
        uintptr_t address = atomic_load_explicit(&window->addresses[chunk], memory_order_relaxed);
        void *place = window->base ? window->base + offset : NULL;
        void *mapped;

        if (address == WINDOW_CHUNK_LOST)
                return -ENOMEM;
        if (address)
                return 0; /* another thread was faster */
        mapped = mmap(place, chunk_length(window, chunk), window->protection,
                MAP_SHARED | (place ? MAP_FIXED : 0), window->fd, (off_t)offset);
        if (mapped == MAP_FAILED) {
                int r = -errno;

                if (place)
                        restore_reservation(window, chunk);
                return r;
        }
        /* Huge pages are asked for range by range, and only there: one under small ranges would
         * commit what is others' or nobody's. Where the kernel has none, this has nothing to say.
         */
        (void)madvise(mapped, chunk_length(window, chunk), MADV_NOHUGEPAGE);
        atomic_store_explicit(&window->addresses[chunk], (uintptr_t)mapped, memory_order_release);
        return 0;
}

static int map_chunk_slowly(struct window *window, size_t chunk)
{
        int r;

        pthread_mutex_lock(&window->lock);
        r = map_chunk(window, chunk);
        pthread_mutex_unlock(&window->lock);
        return r;
}

int window_map(struct window *window, uint64_t start, uint64_t end, unsigned char **ret)
{
        size_t first = (size_t)(start >> window->chunk_shift);
        size_t last = (size_t)((end - 1) >> window->chunk_shift);
        uintptr_t address;
        int r = window_make(window);

        if (r < 0)
                return r;
        for (size_t i = first; i <= last; i++) {
                address = atomic_load_explicit(&window->addresses[i], memory_order_acquire);
                if (__builtin_expect(address > WINDOW_CHUNK_LOST, 1))
                        continue;
                r = map_chunk_slowly(window, i);
                if (r < 0)
                        return r;
        }
        address = atomic_load_explicit(&window->addresses[first], memory_order_acquire);
        *ret = (unsigned char *)address + (start & (window->chunk_size - 1));
        return 0;
}

uint64_t window_count_blocks(const struct window *window, uint64_t start, uint64_t end)
{
        if (window->base)
                return 1;
        return ((end - 1) >> window->chunk_shift) - (start >> window->chunk_shift) + 1;
}
