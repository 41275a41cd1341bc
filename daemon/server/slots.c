// SPDX-License-Identifier: Apache-2.0
#include "server/slots.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 16

static int grow(struct slots *slots)
{
        size_t more = slots->allocated ? 2 * slots->allocated : SLOTS_FIRST;
        void **items = realloc(slots->items, more * sizeof(*items));

        if (!items)
                return -1;
        memset(items + slots->allocated, 0, (more - slots->allocated) * sizeof(*items));
        slots->items = items;
        slots->allocated = more;
        return 0;
}

size_t slots_take(struct slots *slots, void *item)
{
        size_t place = slots->lowest;

        while (place < slots->used && slots->items[place])
                place++;
        slots->lowest = place;
        if (place == slots->used) {
                if (place == slots->allocated && grow(slots) < 0)
                        return SLOTS_NONE;
                slots->used++;
        }
        slots->items[place] = item;
        slots->lowest = place + 1;
        return place;
}

void slots_drop(struct slots *slots, size_t place)
{
        if (place == SLOTS_NONE)
                return;
        slots->items[place] = NULL;
        if (place < slots->lowest)
                slots->lowest = place;
        while (slots->used && !slots->items[slots->used - 1])
                slots->used--;
}

void slots_deinit(struct slots *slots)
{
        check(!slots->used);
        free(slots->items);
        *slots = (struct slots){0};
}
