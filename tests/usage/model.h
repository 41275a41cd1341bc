// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usage/usage_tree.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The usage tree against a naive array of pages. Each step does one operation to both; then the
 * whole tree is validated and compared page by page. Every operation has exactly the nodes reserved
 * that it says it needs, so one that takes more aborts; so does every other difference (check()).
 *
 * Which operation, and on what, is drawn from a source: random numbers in a test, the bytes of a
 * fuzzer elsewhere. All calls to the tree are in model.c.
 */
#define MODEL_PAGES     512u
#define MODEL_ALIGNMENT 16u

/* A number below `below`, which is 1 to MODEL_PAGES. */
typedef uint32_t model_draw_fn(void *source, uint32_t below);

struct model_page {
        uint32_t refs;
        uint8_t kind;
        bool allocated;
        bool committed;
};

struct model {
        struct usage_nodes nodes;
        struct usage_tree tree;
        struct model_page pages[MODEL_PAGES];
        model_draw_fn *draw;
        void *source;
};

/* An empty tree with nodes of that size: see usage_nodes_init_small(). */
void model_init(struct model *model, unsigned leaf_max, unsigned inner_max, model_draw_fn *draw,
        void *source);

void model_step(struct model *model);

void model_deinit(struct model *model);
