// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/statistics.h>
#include <stdbool.h>

#include "top_sample.h"

/*
 * Where samples come from: the daemon, and after it was gone the one that came after it, on a
 * session of its own.
 */
struct top_source {
        const char *socket;             /* as of filemem_open() */
        filemem_session *given;         /* tried first; not ours */
        filemem_session *own;           /* NULL: none */
        filemem_statistics *statistics; /* NULL: it is gone */
        bool answered;                  /* there was a sample */
};

/*
 * Takes a sample. Returns 0, or a negative errno: where no daemon is there, or it does not answer
 * within a second (at first within ten), asking again later may find one. text: why, of `size`
 * bytes.
 */
int top_source_read(struct top_source *source, struct top_sample *sample, char *text, size_t size);

void top_source_deinit(struct top_source *source);
