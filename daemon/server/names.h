// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/server.h"

#include <stdbool.h>
#include <stdint.h>

/* Names in the store: a letter and a number to the base of 36, so that they are short. */
void name_write(char letter, uint64_t number, char ret[SERVER_NAME_MAX]);

/* Whether it is one with a number, of that letter. */
bool name_read(const char *name, char letter, uint64_t *ret);
