// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source.h"

/*
 * What the page at / shows, as JSON. Return text that the caller frees, or NULL when out of memory.
 * Times are in nanoseconds of the daemon's clock, sizes in bytes.
 */
char *json_statistics(struct source *source);

/* The map of a pool: {"ready": false} until it was fetched. */
char *json_map(struct source *source, const char *pool);
