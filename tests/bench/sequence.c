// SPDX-License-Identifier: Apache-2.0
#include "bench/sequence.h"

#include "bench/prng.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define LENGTH_MAX 64 /* pages */

static const struct {
        uint32_t live; /* 0: of refs */
        uint32_t count;
        uint64_t hash;
} known[] = {
        {10000, 200000, UINT64_C(8715854844780394623)},
        {100000, 200000, UINT64_C(5187343748282643417)},
        {1000000, 200000, UINT64_C(13070208340854766558)},
        {1000, 5000, UINT64_C(5000968900140591046)},
        {0, 500000, UINT64_C(9565032772181978641)},
        {0, 5000, UINT64_C(16573905695093296968)},
};

static int check_hash(uint32_t live, uint32_t count, uint64_t hash)
{
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
                if (known[i].live == live && known[i].count == count)
                        return known[i].hash == hash ? 0 : -EBADMSG;
        return 0;
}

int churn_sequence_init(struct churn_sequence *sequence, uint32_t live, uint32_t steps)
{
        struct prng prng = PRNG_START;
        struct op_hash hash = OP_HASH_START;

        *sequence = (struct churn_sequence){.live = live, .steps = steps};
        sequence->fill = calloc(live, sizeof(*sequence->fill));
        sequence->slot = calloc(steps, sizeof(*sequence->slot));
        sequence->pages = calloc(steps, sizeof(*sequence->pages));
        if (!sequence->fill || !sequence->slot || !sequence->pages) {
                churn_sequence_deinit(sequence);
                return -ENOMEM;
        }
        for (uint32_t i = 0; i < live; i++) {
                sequence->fill[i] = 1 + (uint32_t)(prng_next(&prng) % LENGTH_MAX);
                op_hash_add(&hash, sequence->fill[i]);
        }
        for (uint32_t i = 0; i < steps; i++) {
                sequence->slot[i] = (uint32_t)(prng_next(&prng) % live);
                sequence->pages[i] = 1 + (uint32_t)(prng_next(&prng) % LENGTH_MAX);
                op_hash_add(&hash, sequence->slot[i]);
                op_hash_add(&hash, sequence->pages[i]);
        }
        sequence->hash = hash.value;
        return check_hash(live, steps, hash.value);
}

void churn_sequence_deinit(struct churn_sequence *sequence)
{
        free(sequence->fill);
        free(sequence->slot);
        free(sequence->pages);
        *sequence = (struct churn_sequence){0};
}

int refs_sequence_init(struct refs_sequence *sequence, uint32_t pairs)
{
        struct prng prng = PRNG_START;
        struct op_hash hash = OP_HASH_START;

        *sequence = (struct refs_sequence){.pairs = pairs};
        sequence->start = calloc(pairs, sizeof(*sequence->start));
        sequence->end = calloc(pairs, sizeof(*sequence->end));
        if (!sequence->start || !sequence->end) {
                refs_sequence_deinit(sequence);
                return -ENOMEM;
        }
        for (uint32_t i = 0; i < pairs; i++) {
                uint32_t start = (uint32_t)(prng_next(&prng) % REFS_PAGES);
                uint32_t end = start + 1 + (uint32_t)(prng_next(&prng) % LENGTH_MAX);

                if (end > REFS_PAGES)
                        end = REFS_PAGES;
                sequence->start[i] = start;
                sequence->end[i] = end;
                op_hash_add(&hash, start);
                op_hash_add(&hash, end);
        }
        sequence->hash = hash.value;
        return check_hash(0, pairs, hash.value);
}

void refs_sequence_deinit(struct refs_sequence *sequence)
{
        free(sequence->start);
        free(sequence->end);
        *sequence = (struct refs_sequence){0};
}
