// SPDX-License-Identifier: Apache-2.0
#include "fuzz/allocations.h"

#include <malloc.h>
#include <stdbool.h>

typedef void malloc_hook_fn(const volatile void *pointer, size_t size);
typedef void free_hook_fn(const volatile void *pointer);

/* Of sanitizer/allocator_interface.h; there if the program has a sanitizer's heap. */
extern int __sanitizer_install_malloc_and_free_hooks(
        malloc_hook_fn *on_malloc, free_hook_fn *on_free) __attribute__((weak));

static _Thread_local size_t seen;
static bool hooked;

static void note_malloc(const volatile void *pointer, size_t size)
{
        (void)pointer;
        (void)size;
        seen++;
}

static void note_free(const volatile void *pointer)
{
        (void)pointer;
}

void allocations_watch(void)
{
        if (!hooked && __sanitizer_install_malloc_and_free_hooks)
                hooked = __sanitizer_install_malloc_and_free_hooks(note_malloc, note_free) > 0;
}

size_t allocations_count(void)
{
        struct mallinfo2 heap;

        if (hooked)
                return seen;
        heap = mallinfo2();
        return heap.uordblks + heap.hblkhd;
}
