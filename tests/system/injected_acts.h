// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"
#include "filemem/statistics.h"

#include <stddef.h>

/* Each public function of the library that asks the daemon, as something that can be made to fail.
 */

/* What an act has to play with. */
struct scene {
        const char *socket;
        filemem_session *session;
        struct filemem_range range; /* 16 pages, held and mapped */
        int peer;                   /* a socket to be opened, or -1 */
        /* What the act got, and what is to be done away with. */
        filemem_session *made;
        filemem_statistics *statistics;
        struct filemem_range allocated;
        void *mapped;
        size_t mapped_size;
        int fd;
};

struct act {
        const char *name;
        int (*run)(struct scene *scene);
};

/* All of them; one without a name ends them. */
extern const struct act injected_acts[];
