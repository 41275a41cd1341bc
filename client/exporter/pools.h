// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/statistics.h>
#include <stddef.h>

/*
 * The pools as metrics have them, where a name has to mean the same for years and there must not be
 * ever more of them: private pools are one, and pools of the same name (one is being closed, and
 * its successor) are added up.
 */
#define POOLS_MAX     256
#define POOLS_PRIVATE "private:*"
#define POOLS_OTHERS  "others:*" /* those that there is no place for */

struct pools {
        size_t count;
        struct filemem_statistics_pool list[POOLS_MAX];
};

/* Returns 0, or -ESTALE. */
int pools_gather(const filemem_statistics *statistics, struct pools *ret);
