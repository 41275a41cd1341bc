// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cksum/files.h"

/* How the results compare with those of cksum(1). */
struct comparison {
        unsigned equal;
        unsigned different;
        unsigned changed; /* files that changed since they were loaded: not compared */
};

/* Runs cksum for each file that is done. Returns 0, or a negative errno if that cannot be done. */
int compare_all(const struct files *files, struct comparison *ret);
