// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How wide lines on standard output may be: $COLUMNS, else what the terminal says, else 80. */
size_t terminal_columns(void);

/* Whether the locale has more than ASCII: UTF-8. */
bool terminal_is_unicode(void);
