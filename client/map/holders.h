// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/survey.h"

#include <stdio.h>

/* How many of those who hold a part of a cell are remembered: those that hold most of it. */
#define MAP_CELL_HOLDERS 3

struct map_cell_holders {
        struct {
                uint32_t session; /* its place in the list of sessions */
                uint64_t bytes;   /* that it holds of the cell; 0: nobody */
        } most[MAP_CELL_HOLDERS];
        uint32_t count; /* of all who hold some */
};

/* Who holds what of the cells of a survey, as far as the user may know. */
struct map_holders {
        struct filemem_session_info *sessions; /* in the pool, and seen */
        size_t sessions_count;
        struct map_cell_holders *cells; /* one for each of the grid */
};

/*
 * Asks for what each session of the pool holds. It takes memory for the cells and the sessions.
 * What ends or changes meanwhile is seen or not. Returns 0, -ENOMEM, or what filemem_sessions() and
 * filemem_holdings() return.
 */
int map_holders_make(
        filemem_session *session, const struct map_survey *survey, struct map_holders *ret);
void map_holders_free(struct map_holders *holders);

/* "session 3 worker (pid 12) 4M, session 5 2M, and 2 more"; nothing if there are none. As XML. */
void map_holders_write(const struct map_holders *holders, size_t cell, FILE *where);
