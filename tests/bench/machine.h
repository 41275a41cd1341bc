// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Says on what was measured: processor, memory, kernel, how this program was built, and what a
 * reading of the clock costs here. As lines for people, or as one JSON object.
 */
void machine_print(FILE *stream, bool json);

/*
 * 0, or -ENOMEM where so many bytes cannot be committed without the kernel having to kill somebody
 * for them.
 */
int machine_check_memory(uint64_t bytes);
