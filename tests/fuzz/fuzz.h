// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What libFuzzer calls with each input, and replay.c with each file of a corpus. Returns 0; a
 * finding aborts.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
