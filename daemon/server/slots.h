// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

/*
 * Places that things keep as long as they live, the lowest that is free first. Not thread safe.
 */
struct slots {
        void **items;     /* NULL: free */
        size_t allocated; /* all of them can be looked at */
        size_t used;      /* beyond these all are free */
        size_t lowest;    /* below this none is */
};

#define SLOTS_NONE ((size_t)-1)

/* A place for the item, or SLOTS_NONE when out of memory. */
size_t slots_take(struct slots *slots, void *item);

/* The place is free. SLOTS_NONE is fine. */
void slots_drop(struct slots *slots, size_t place);

/* All must be free. */
void slots_deinit(struct slots *slots);
