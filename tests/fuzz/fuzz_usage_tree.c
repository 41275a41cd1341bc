// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes to operations on the usage tree, each compared with the naive model and validated. The
 * first two bytes are the sizes of nodes, so that splits and joins happen with few entries; after
 * that each choice of the model takes one byte, or two where there is more to choose from.
 */
#include "fuzz/fuzz.h"

#include "usage/model.h"

struct bytes {
        const uint8_t *data;
        size_t left;
};

static uint32_t draw_byte(struct bytes *bytes)
{
        if (!bytes->left)
                return 0;
        bytes->left--;
        return *bytes->data++;
}

static uint32_t draw_bytes(void *source, uint32_t below)
{
        uint32_t drawn = draw_byte(source);

        if (below > 256)
                drawn |= draw_byte(source) << 8;
        return drawn % below;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct model model;
        struct bytes bytes = {data, size};
        unsigned leaf_max = 4 + draw_bytes(&bytes, 56), inner_max = 4 + draw_bytes(&bytes, 37);

        model_init(&model, leaf_max, inner_max, draw_bytes, &bytes);
        while (bytes.left)
                model_step(&model);
        model_deinit(&model);
        return 0;
}
