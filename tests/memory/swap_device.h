// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/guardian.h"

/*
 * A swap device of compressed memory (zram), for the time of a test program. Both run in the
 * guardian's process; see there.
 */
enum change swap_device_make(void);
bool swap_device_undo(void);
