// SPDX-License-Identifier: Apache-2.0
#pragma once

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

/* One cell of a map is a run of pages. Bytes. */
struct source_cell {
        uint64_t allocated[FILEMEM_KINDS];
        uint64_t committed; /* of ranges that are held */
        uint64_t freed;     /* and not given back yet */
};

#define SOURCE_CELLS 1024

struct source_map {
        char pool[65];
        uint64_t size;      /* bytes of the pool that the cells are of */
        uint64_t cell_size; /* bytes */
        size_t count;       /* cells */
        bool complete;      /* else the pool has so many entries that not all were asked for */
        struct source_cell cells[SOURCE_CELLS];
};

/*
 * The map of a pool, as it was a moment ago. Returns true, or false if there is none yet: then it
 * is fetched, and will be there soon; or the pool does not exist, or may not be seen.
 */
bool source_map(struct source *source, const char *pool, struct source_map *ret);
