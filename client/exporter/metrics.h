// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source.h"
#include "text.h"

/* Writes all metrics; without a daemon only that it is not up. */
void metrics_write(struct text *text, struct source *source);
