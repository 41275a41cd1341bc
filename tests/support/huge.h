// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/guardian.h"

/*
 * Huge pages of shared memory, where a process asks for them (`advise`), for the time of a test
 * program: for guardian_run().
 */
enum change huge_set_up(void);
bool huge_undo(void);
