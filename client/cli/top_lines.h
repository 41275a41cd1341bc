// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "top_view.h"

#define TOP_LINE_MAX 512

/* What is shown, as lines of text for a screen or for a file; none ends with a newline. */
typedef char top_line[TOP_LINE_MAX];

/* Lines of the summary on top with all pools but those beyond `pools`. */
#define TOP_HEAD_LINES(pools) (7 + (pools))

/*
 * The daemon, kinds, and pools, those first of which most is held, in at most TOP_HEAD_LINES(pools)
 * lines. Returns how many they are.
 */
size_t top_write_head(const struct top_sample *sample, const struct top_view *view, size_t pools,
        top_line *lines);

/* The names of the columns of sessions. */
void top_write_header(top_line line);

void top_write_row(const struct top_row *row, top_line line);

/* Cuts a line to what fits into so many columns of a terminal, in the multibyte text of the locale.
 */
void top_fit(char *line, size_t columns);
