// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/views.h"

/*
 * What the files that write views share:
 *
 *      publish.c           what a page has, sessions and users, and how much is written in a turn
 *      publish_pools.c     pools
 *      publish_totals.c    sums, durations and refusals
 *
 * `only`: for this view alone; NULL: for all.
 */

/* Where there is no such place nothing is written. record: NULL: what was there is gone. */
void publish_record(
        struct view *view, enum page_section_id section, size_t place, const void *record);

void publish_all_pools(struct server *server, struct view *only);

/* The next ones, as many as a turn may have. */
void publish_some_pools(struct server *server);

/* All that is there once. */
void publish_small(struct server *server, struct view *only, uint64_t now);
