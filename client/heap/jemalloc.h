// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Types and flags of the public header. What it declares is the program's malloc, not ours. */
#include <jemalloc/jemalloc.h>

/*
 * The copy of jemalloc that is ours alone; private-jemalloc.sh gives it these names. See
 * jemalloc(3).
 */
void *filemem_je_mallocx(size_t size, int flags);
void *filemem_je_rallocx(void *object, size_t size, int flags);
void filemem_je_dallocx(void *object, int flags);
size_t filemem_je_sallocx(const void *object, int flags);
int filemem_je_mallctl(const char *name, void *old, size_t *old_size, void *value, size_t size);

/* Read when it starts. */
extern bool filemem_je_je_opt_cache_oblivious;

/* What "experimental.arenas_create_ext" of jemalloc 5.3 takes. */
struct jemalloc_arena_config {
        extent_hooks_t *extent_hooks;
        bool metadata_use_hooks; /* the arena's own records are in extents too */
};
