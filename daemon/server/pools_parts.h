// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/pools.h"

/*
 * What pools.c, the pools, and pools_configure.c, what the configuration makes of them, share.
 */

/* Who made a pool that the configuration names. */
#define SERVED_NO_MAKER ((uid_t)-1)

/*
 * A new pool, not in the list yet. maker: of a private one. Returns 0, OUTCOME_STORE_FULL or a
 * negative errno; -EAGAIN: not now.
 */
int served_new(struct pools *pools, const struct pool_options *options,
        const struct limits_set *limits, uid_t maker, struct served **ret);

/* One that is in no list. */
void served_free(struct served *served);

/* It is one of the pools. */
void served_enlist(struct pools *pools, struct served *served);

/* It goes, if nobody uses it and nothing keeps it. */
void served_forget_unused(struct served *served);
