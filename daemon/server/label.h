// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * Whether a client's name for itself may be shown to people as it is: at most WIRE_LABEL_MAX bytes
 * of valid UTF-8, with nothing in it that moves the cursor, breaks the line or turns the direction
 * of writing. The empty one is fine.
 */
bool label_is_valid(const char *label);
