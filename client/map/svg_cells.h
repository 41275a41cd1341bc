// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/holders.h"
#include "map/survey.h"

#include <stdio.h>

#define SVG_CELL 12 /* pixels */
#define SVG_STEP 13 /* from one to the next */

/* One cell, with its tooltip, at x in its row. holders: may be NULL. */
void svg_cell_write(const struct map_survey *survey, const struct map_holders *holders,
        size_t index, unsigned x, FILE *where);

/* The same of what the legend shows: a cell that is `content`, and all of it committed or not. */
void svg_swatch_write(int content, bool committed, double x, double y, FILE *where);
