// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/holders.h"
#include "map/survey.h"

#include <stdio.h>

/*
 * A survey as a standalone SVG: the grid with `columns` (not 0) cells a row and a tooltip for each,
 * legend, and fragmentation. holders: for the tooltips, or NULL. Colours that people with any
 * colour vision tell apart, on light and on dark ground as the viewer prefers. Errors of the stream
 * are the caller's to find. Returns 0 or -ENOMEM.
 */
int map_svg_write(const struct map_survey *survey, const struct map_holders *holders,
        size_t columns, FILE *where);
