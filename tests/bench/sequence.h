// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/*
 * The operations of the scenarios that draw them at random: the same on every machine and in every
 * program that measures the same. What is drawn is hashed on the way, and where the hash of that
 * sequence is known, another one is an error: then something else was measured than elsewhere.
 */

/* Those of `churn`: what to allocate first, then in each step which to replace, and by how much. */
struct churn_sequence {
        uint32_t live;
        uint32_t steps;
        uint32_t *fill;  /* pages, of `live` slots */
        uint32_t *slot;  /* of `steps` */
        uint32_t *pages; /* of `steps` */
        uint64_t hash;
};

/* Returns 0, -ENOMEM, or -EBADMSG for a wrong hash. */
int churn_sequence_init(struct churn_sequence *sequence, uint32_t live, uint32_t steps);
void churn_sequence_deinit(struct churn_sequence *sequence);

/* Those of `refs`: ranges, in pages, in an allocation of REFS_PAGES. */
#define REFS_PAGES 262144

struct refs_sequence {
        uint32_t pairs;
        uint32_t *start;
        uint32_t *end;
        uint64_t hash;
};

/* As above. */
int refs_sequence_init(struct refs_sequence *sequence, uint32_t pairs);
void refs_sequence_deinit(struct refs_sequence *sequence);
