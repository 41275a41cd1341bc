// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cksum/files.h"
#include "cksum/options.h"
#include "cksum/plumbing.h"

#include <sys/types.h>

/* Which worker is killed. */
#define VICTIM 0u

/* Everybody's parent: holds every range until its checksum is known and gives lost work to others.
 */
struct coordinator {
        const struct options *options;
        struct files *files;
        struct plumbing *plumbing;
        pid_t loader; /* 0: ended and waited for */
        pid_t workers[WORKERS_MAX];
        filemem_session *session;

        uint64_t started_at;
        unsigned loaded;   /* files, the empty ones not counted */
        uint64_t bytes;    /* of them */
        unsigned done;     /* of the loaded */
        uint64_t computed; /* ns of all workers */
        bool victim_stopped;
        unsigned victim_file;
        uint64_t victim_bytes;
};

/* Opens the coordinator's session, if it is not open yet. Returns 0 or a negative errno. */
int coordinator_open(struct coordinator *coordinator);

/* From the forks to the end. Returns the exit code. */
int coordinator_run(struct coordinator *coordinator);
