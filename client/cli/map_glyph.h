// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map_text.h"

/* Writes cells of one line; a colour is said where it begins and ends. */
struct map_pen {
        const struct map_look *look;
        FILE *where;
        unsigned colour; /* that is on; 0: none */
};

/* One cell as a character, with its colour if colours are wanted. */
void map_pen_cell(struct map_pen *pen, const struct map_cell *cell, uint64_t length);

/* The character of a whole cell of some content, all of it committed or nothing. */
void map_pen_sample(struct map_pen *pen, int content, bool committed);

/* No colour from here on. */
void map_pen_lift(struct map_pen *pen);

/* The explanation of what shades, or capital letters, mean. */
const char *map_glyph_explain(const struct map_look *look);
