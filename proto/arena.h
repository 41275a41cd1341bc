// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Memory for one message: taken from the front of one block, given back all at once. It cannot
 * grow, so whatever a message says, decoding it costs no more than the block; free() is a no-op.
 * Not thread safe.
 */
struct arena {
        unsigned char *block;
        bool borrowed; /* the block is not ours to free */
        size_t size;
        size_t used;
        ProtobufCAllocator allocator; /* for protobuf-c: the same memory */
};

/*
 * Returns 0 or -ENOMEM. The block is at rest until touched, so a large one costs nothing. An arena
 * is not copied or moved afterwards: its allocator points at it.
 */
int arena_init(struct arena *arena, size_t size);

/* The same in a block, aligned for any type, that the caller keeps for as long. */
void arena_init_in(struct arena *arena, void *block, size_t size);

void arena_deinit(struct arena *arena);

/* Forgets everything that was taken. */
void arena_reset(struct arena *arena);

/* Aligned for any type, not zeroed. NULL when the block is used up. */
void *arena_alloc(struct arena *arena, size_t size);
