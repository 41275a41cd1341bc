// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include <errno.h>
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

int usage_compare(const struct usage_row *one, const struct usage_row *other)
{
        int r = (one->total > other->total) - (one->total < other->total);

        return r ? r : strcmp(one->group, other->group);
}

static int compare_indexed(const void *a, const void *b)
{
        const struct usage_row *const *one = a, *const *other = b;

        return usage_compare(*one, *other);
}

int usage_index(const struct usage *usage, struct usage_index *ret)
{
        const struct usage_row **rows =
                reallocarray(NULL, usage->count + 1, sizeof(struct usage_row *));

        if (!rows)
                return -ENOMEM;
        for (size_t i = 0; i < usage->count; i++)
                rows[i] = &usage->rows[i];
        qsort(rows, usage->count, sizeof(struct usage_row *), compare_indexed);
        *ret = (struct usage_index){.rows = rows, .count = usage->count};
        return 0;
}

const struct usage_row *usage_find(const struct usage_index *index, const struct usage_row *like)
{
        const struct usage_row **found = bsearch(
                &like, index->rows, index->count, sizeof(struct usage_row *), compare_indexed);

        return found ? *found : NULL;
}

void usage_index_free(struct usage_index *index)
{
        free(index->rows);
        *index = (struct usage_index){0};
}
