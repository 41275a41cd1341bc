// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fuzz/fuzz_server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The bytes that a fuzzer made, taken from the front. Behind their end there are zeros. */
struct input {
        const uint8_t *at;
        size_t left;
};

static inline uint8_t take_byte(struct input *input)
{
        if (!input->left)
                return 0;
        input->left--;
        return *input->at++;
}

static inline uint64_t take_number(struct input *input)
{
        uint64_t number = 0;

        for (int i = 0; i < 8; i++)
                number = number << 8 | take_byte(input);
        return number;
}

/* Up to `size` bytes, where they are. Returns how many. */
static inline size_t take_bytes(struct input *input, size_t size, const uint8_t **ret)
{
        if (size > input->left)
                size = input->left;
        *ret = input->at;
        input->at += size;
        input->left -= size;
        return size;
}

static inline char *take_text(struct input *input, char *buffer, size_t size)
{
        const uint8_t *text;
        size_t length = take_bytes(input, take_byte(input) % size, &text);

        memcpy(buffer, text, length);
        buffer[length] = 0;
        return buffer;
}

/* Bytes of the file: a page most of the time, else any number. */
static inline uint64_t take_offset(struct input *input, bool any)
{
        return any ? take_number(input) : take_byte(input) * FUZZ_PAGE;
}
