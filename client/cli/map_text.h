// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/survey.h"

#include <stdio.h>

/* How the picture looks on a terminal or where there is none. */
struct map_look {
        size_t columns; /* cells in a row */
        bool colour;    /* colours tell the kinds, else letters */
        bool unicode; /* the locale has blocks; else letters tell the kinds, whatever the colour */
        bool bytes;   /* sizes in bytes */
        bool bare;    /* no line above and none below: cells alone */
};

/* The picture for people. Errors of the stream are the caller's to find. */
void map_text_write(const struct map_survey *survey, const struct map_look *look, FILE *where);

/* Columns that a line takes beside its cells. */
#define MAP_TEXT_MARGIN 14
