// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/memfile.h"
#include "memory/pool.h"

/*
 * How many pages of a range the kernel stores. Two ways, both exact and without a mapping in the
 * daemon; mincore(2) is neither (it calls swapped pages absent).
 */
struct account_count {
        uint64_t committed; /* bytes, in RAM or swap */
        uint64_t swapped;   /* of them; 0 with ACCOUNTING_SEEK, which cannot tell */
};

/*
 * Chooses: what is asked for, or the best that this kernel has and that we may use here (a seccomp
 * filter may forbid cachestat). Tries it on a file of its own. Returns 0, -ENOSYS if the one asked
 * for does not work, or a negative errno.
 */
int account_choose(enum accounting wanted, enum accounting *ret);

/* "cachestat" or "seek". */
const char *account_name(enum accounting accounting);

/* Returns 0 or a negative errno. May take long: no lock may be held. */
int account_count(enum accounting accounting, const struct memfile *file, struct range range,
        struct account_count *ret);
