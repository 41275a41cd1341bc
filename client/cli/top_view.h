// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "top_sample.h"

#include <stdbool.h>

/* What sessions are sorted by. Names are those of top_orders[]. */
enum top_order {
        TOP_GROWTH,
        TOP_HELD,
        TOP_ALLOCATING,
        TOP_RELEASING,
        TOP_OPERATIONS,
        TOP_RANGES,
        TOP_ID,
        TOP_LABEL,
        TOP_ORDERS,
};

/* For people and for --order; NULL ends them. */
extern const char *const top_orders[TOP_ORDERS + 1];

/* A session, and what it did a second: since the sample before, or since it was opened. */
struct top_row {
        const struct filemem_statistics_session *session;
        int64_t growth;                 /* bytes that it holds */
        uint64_t allocating, releasing; /* bytes */
        uint64_t operations;
};

struct top_view {
        enum top_order order;
        bool reversed;   /* smallest first; of TOP_ID and TOP_LABEL largest */
        char filter[65]; /* sessions whose label, pool, user or process has this; "": all */
        struct top_row *rows;
        size_t count, room;
        uint64_t operations, refusals; /* of the daemon, a second */
};

/*
 * Works out the rows of a sample, which they point into. before: an earlier sample of the same
 * daemon, or an empty one. Returns 0 or -ENOMEM.
 */
int top_view_update(
        struct top_view *view, const struct top_sample *sample, const struct top_sample *before);

void top_view_deinit(struct top_view *view);

/* Whether two samples are of one daemon, so that what is counted goes on. */
bool top_same_daemon(const struct top_sample *one, const struct top_sample *other);

/* The name of a user, or its number. Static until the next call. */
const char *top_user_name(uint64_t uid);

/* What a session is called: its label, else the name of its process, else "". As above. */
const char *top_session_name(const struct filemem_statistics_session *session);
