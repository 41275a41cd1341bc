// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include <stdlib.h>
#include <string.h>

const char *const usage_by_names[] = {"kind", "session", "uid", "pool", "label", NULL};

const char *const usage_value_keys[USAGE_VALUES] = {
        [USAGE_ALLOCATED] = "allocated",
        [USAGE_COMMITTED] = "committed",
        [USAGE_SWAPPED] = "swapped",
        [USAGE_RECLAIMABLE] = "reclaimable",
        [USAGE_STRAY] = "stray",
        [USAGE_LEASED] = "leased",
};

void usage_free(struct usage *usage)
{
        free(usage->rows);
        *usage = (struct usage){0};
}

struct usage_row *usage_add(struct usage *usage)
{
        struct usage_row *rows;

        if (usage->count == usage->room) {
                size_t room = usage->room ? 2 * usage->room : 32;

                rows = reallocarray(usage->rows, room, sizeof(*rows));
                if (!rows)
                        return NULL;
                usage->rows = rows;
                usage->room = room;
        }
        rows = &usage->rows[usage->count++];
        *rows = (struct usage_row){.group = ""};
        return rows;
}

const struct usage_row *usage_find(const struct usage *usage, const struct usage_row *like)
{
        for (size_t i = 0; i < usage->count; i++) {
                const struct usage_row *row = &usage->rows[i];

                if (row->total == like->total && !strcmp(row->group, like->group) &&
                        !strcmp(row->pool, like->pool))
                        return row;
        }
        return NULL;
}
