// SPDX-License-Identifier: Apache-2.0
#include "proto/arena.h"

#include <errno.h>
#include <stdlib.h>

/* What malloc() promises too. The block starts at such an address, so every offset keeps it. */
#define ALIGNMENT _Alignof(max_align_t)

static void *allocator_alloc(void *arena, size_t size)
{
        return arena_alloc(arena, size);
}

static void allocator_free(void *arena, void *pointer)
{
        (void)arena;
        (void)pointer;
}

void arena_init_in(struct arena *arena, void *block, size_t size)
{
        *arena = (struct arena){.block = block, .borrowed = true, .size = size};
        arena->allocator.alloc = allocator_alloc;
        arena->allocator.free = allocator_free;
        arena->allocator.allocator_data = arena;
}

int arena_init(struct arena *arena, size_t size)
{
        void *block = malloc(size);

        if (!block)
                return -ENOMEM;
        arena_init_in(arena, block, size);
        arena->borrowed = false;
        return 0;
}

void arena_deinit(struct arena *arena)
{
        if (!arena->borrowed)
                free(arena->block);
        *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
        arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
        size_t start = (arena->used + ALIGNMENT - 1) & ~(ALIGNMENT - 1);

        if (start > arena->size || size > arena->size - start)
                return NULL;
        arena->used = start + size;
        return arena->block + start;
}
