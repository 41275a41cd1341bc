// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/gaps.h"
#include "map/grid.h"

/* What is wanted. */
struct map_request {
        const char *pool;           /* a name */
        bool known;                 /* what the daemon knows: it need not ask the kernel first */
        bool zoom;                  /* only `range`, else the size of the pool */
        struct filemem_range range; /* is widened to pages and cut to the capacity */
        size_t cells;               /* at most so many, and not 0 */
        /*
         * A session in that pool, which may be for reading only, so that the kernel can be asked
         * where in a range committed pages are, and where stray ones. NULL: then the former is
         * estimated, and the latter not known.
         */
        filemem_session *inside;
};

/* All that a picture shows. */
struct map_survey {
        struct filemem_pool pool;
        struct filemem_usage usage; /* of all the pool, whatever part is shown */
        struct map_grid grid;
        struct map_gaps gaps;  /* of what is shown, as far as it lies in the pool's size */
        struct map_cell total; /* of what is shown */
        uint64_t entries;      /* of what is shown: those of the cells count twice what two have */
        bool asked_stray;      /* stray pages were looked for */
        uint64_t stray_beyond; /* bytes that were found above the pool's size; not if zoomed */
};

/*
 * Reads a pool in pages: what changes meanwhile may be seen or not. It takes memory for the cells
 * alone and, for a million ranges, about a second. Returns 0, -ERANGE if the range to zoom to is
 * empty or lies beyond the capacity, -ENOMEM, or what filemem_dump_of() and filemem_usage_of()
 * return.
 */
int map_survey_make(
        filemem_session *session, const struct map_request *request, struct map_survey *ret);
void map_survey_free(struct map_survey *survey);
