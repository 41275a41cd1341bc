// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fuzz/fuzz_input.h"
#include "proto/wire.h"

/*
 * Messages made of few bytes of the input, so that a fuzzer need not find out how they are encoded
 * before it gets anywhere. Into a buffer of WIRE_MESSAGE_MAX bytes; return how many.
 */
size_t fuzz_make_hello(struct input *input, uint8_t *buffer);
size_t fuzz_make_request(struct input *input, uint8_t *buffer);
