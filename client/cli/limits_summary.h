// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

#include <filemem/filemem.h>

/*
 * What is used of the limits that all have together, on one line. Returns 0 and a text to be freed,
 * or a negative errno.
 */
int limits_summary(filemem_session *session, const struct options *options, char **ret);
