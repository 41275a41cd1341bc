// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/private.h"

/*
 * A pool is made again from the records of its journal: what is taken, and what each holder holds,
 * in trees of their own; then the pool's tree from both. Every record is judged before anything is
 * changed for it: what contradicts the ones before is damage, like a wrong checksum.
 */
struct replay {
        struct pool *pool;      /* with a recorder; nobody else knows it yet */
        struct usage_tree kept; /* what is taken: the kind, and one reference */
};

/* Does what one record says. Returns 0, -EBADMSG if it cannot be true, or -ENOMEM. */
int replay_apply(struct replay *replay, const struct record *record);

/*
 * The pool's tree: what is held, and what is taken and held by nobody, which is freed. Returns 0;
 * -EBADMSG if something is held that is not taken, or by two as different kinds; or -ENOMEM. Where
 * it is damaged anyway, what does not fit is left out.
 */
int replay_merge(struct replay *replay);
