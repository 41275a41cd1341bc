// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/survey.h"

#include <filemem/statistics.h>
#include <stdbool.h>

/*
 * Where the numbers come from: a session in no pool, and the statistics that it opened. A thread
 * keeps them open, and opens them again when the daemon was started anew or its configuration read
 * again; it alone waits for the daemon. So who shows the numbers never waits for anything.
 *
 * The thread also does what takes requests, only as long as somebody looks: it has pools scanned
 * that were not for a while, and fetches the maps that are asked for.
 */
struct source;

/* socket: of the daemon, or NULL. Returns 0 or a negative errno. */
int source_start(const char *socket, struct source **ret);

/* Ends the thread, unless the daemon lets it wait: then it is left to the end of the process. */
void source_stop(struct source *source);

/*
 * The statistics, until source_unlock(); NULL: there is no daemon. A daemon that is gone is seen
 * here at once, or within some seconds if it could not say so.
 */
const filemem_statistics *source_lock(struct source *source);
void source_unlock(struct source *source);

/* Unix time when the daemon started, and how many others there were before. With the lock. */
double source_started_at(const struct source *source);
uint64_t source_restarts(const struct source *source);

#define SOURCE_CELLS 1024

/*
 * The map of a pool, as it was a moment ago, until source_unlock(), which has to follow in any
 * case. NULL: there is none yet. Then it is fetched and will be there soon; or the pool does not
 * exist, or may not be seen.
 */
const struct map_survey *source_lock_map(struct source *source, const char *pool);
