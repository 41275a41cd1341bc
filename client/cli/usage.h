// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where memory has gone: what `usage` asks, compares and shows. */

enum usage_by {
        USAGE_BY_KIND,
        USAGE_BY_SESSION,
        USAGE_BY_UID,
        USAGE_BY_POOL,
        USAGE_BY_LABEL,
};

/* The words of --by, in the order above; NULL ends them. */
extern const char *const usage_by_names[];

enum usage_value {
        USAGE_ALLOCATED,
        USAGE_COMMITTED,
        USAGE_SWAPPED,
        USAGE_RECLAIMABLE,
        USAGE_STRAY,
        USAGE_LEASED,
        USAGE_VALUES,
};

/* The key of a value, in JSON. */
extern const char *const usage_value_keys[USAGE_VALUES];

#define USAGE_TEXT_MAX 72

struct usage_row {
        char group[USAGE_TEXT_MAX]; /* a kind, a session, ...; or "total" */
        char name[USAGE_TEXT_MAX];  /* what people know it by; "" if they do not */
        char pool[USAGE_TEXT_MAX];  /* "" if it is of several */
        bool total;
        bool known[USAGE_VALUES];
        uint64_t values[USAGE_VALUES];
};

/* What there was at a time. */
struct usage {
        enum usage_by by;
        struct usage_row *rows;
        size_t count;
        size_t room;
        uint64_t at_ns;  /* since 1970 */
        uint64_t age_ns; /* of the oldest of the committed numbers; UINT64_MAX: never counted */
        bool exact;
};

void usage_free(struct usage *usage);

/* A new row, of which all is 0; NULL when out of memory. It moves when there is another one. */
struct usage_row *usage_add(struct usage *usage);

static inline void usage_set(struct usage_row *row, enum usage_value value, uint64_t number)
{
        row->known[value] = true;
        row->values[value] = number;
}

/*
 * Asks the daemon. pool: NULL for all of them, or where it is by kind the default one. known: it
 * does not ask the kernel. Returns 0 or a negative errno of the library.
 */
int usage_ask(filemem_session *session, enum usage_by by, const char *pool, bool known,
        struct usage *ret);

/*
 * Reads what `usage --json` has written of that pool; NULL: of whichever. Returns NULL, or a
 * sentence about what is wrong with it.
 */
const char *usage_read(const char *path, enum usage_by by, const char *pool, struct usage *ret);

/*
 * An order of rows, in which those of one group are the same: 0. Whatever the pool: that of the
 * total is known only as long as there is one.
 */
int usage_compare(const struct usage_row *one, const struct usage_row *other);

/* The rows in that order, for those who look for many. They may not change meanwhile. */
struct usage_index {
        const struct usage_row **rows;
        size_t count;
};

/* Returns 0 or -ENOMEM. All zeros is an empty one, which is free. */
int usage_index(const struct usage *usage, struct usage_index *ret);
void usage_index_free(struct usage_index *index);

/* The row of the same group, or NULL. */
const struct usage_row *usage_find(const struct usage_index *index, const struct usage_row *like);

/*
 * As a table, of what has changed since then if that is not NULL; below it people are told how old
 * and exact that is. Returns 0 or -ENOMEM.
 */
struct options;
int usage_print(
        const struct usage *usage, const struct usage *since, const struct options *options);
