// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

/*
 * Asks somebody at a terminal whether to do something that cannot be undone; a script, and who says
 * --yes, is not asked. question: without its question mark. Returns whether to go on.
 */
__attribute__((format(printf, 2, 3))) bool confirm(
        const struct options *options, const char *question, ...);
