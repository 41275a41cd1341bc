// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <string.h>

/*
 * Structures that callers have us fill in, and that grow at their ends: they come with the size
 * that their caller knows. A caller that knows less gets less, and for one that knows more the rest
 * is 0. What pads a structure may become a field, so nothing is copied of it.
 */
struct sized {
        void *items;
        size_t size; /* of one */
        size_t count;
};

/* Bytes of a structure up to the end of a field. */
#define SIZED_TO(type, field) (offsetof(type, field) + sizeof(((type *)NULL)->field))

/* known: bytes of ours. */
static inline void sized_put(const struct sized *to, size_t number, const void *ours, size_t known)
{
        unsigned char *item = (unsigned char *)to->items + number * to->size;

        if (known > to->size)
                known = to->size;
        memcpy(item, ours, known);
        memset(item + known, 0, to->size - known);
}
