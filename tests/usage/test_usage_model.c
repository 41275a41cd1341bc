// SPDX-License-Identifier: Apache-2.0
/*
 * The usage tree against the naive model, by random numbers. With tiny nodes splits and joins
 * happen all the time.
 *
 * FILEMEM_TEST_STEPS sets the number of steps in all.
 */
#include "support/harness.h"

#include "usage/model.h"

#include <stdio.h>
#include <stdlib.h>

/* Without the optimiser a million of them take two minutes of the processor. */
#ifdef __OPTIMIZE__
#define STEPS 1000000u
#else
#define STEPS 200000u
#endif

/* Under sanitizers, by harness_slowness(). */
#define STEPS_SLOW 200000u

static const struct {
        unsigned leaf_max;
        unsigned inner_max;
        uint64_t seed;
} sizes[] = {
        {4, 4, 88172645463325252u},
        {5, 4, 7},
        {7, 5, 1234567},
        {60, 40, 99},
};

static uint32_t draw_random(void *source, uint32_t below)
{
        uint64_t *random = source;

        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        return (uint32_t)(*random % below);
}

static unsigned long steps(void)
{
        const char *text = getenv("FILEMEM_TEST_STEPS");
        unsigned slowness = harness_slowness();
        unsigned long all = slowness > 1 ? STEPS_SLOW / slowness : STEPS;

        if (text)
                all = strtoul(text, NULL, 10);
        return all / (sizeof(sizes) / sizeof(sizes[0]));
}

START_TEST(the_tree_is_what_the_array_is)
{
        static struct model model;
        uint64_t random = sizes[_i].seed;
        unsigned long count = steps();

        model_init(&model, sizes[_i].leaf_max, sizes[_i].inner_max, draw_random, &random);
        for (unsigned long i = 0; i < count; i++)
                model_step(&model);
        printf("%lu steps with nodes of %u and %u, validated after each\n", count,
                sizes[_i].leaf_max, sizes[_i].inner_max);
        model_deinit(&model);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("usage_model");
        TCase *model = harness_case(suite, "model", 300);

        tcase_add_loop_test(
                model, the_tree_is_what_the_array_is, 0, sizeof(sizes) / sizeof(sizes[0]));
        return harness_run(suite);
}
