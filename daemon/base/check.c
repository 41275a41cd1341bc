// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include "base/log.h"

#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
        log_event(LOG_INVARIANT_BROKEN, log_nobody(), "broken invariant: %s (%s:%d, %s)", condition,
                file, line, function);
        abort();
}
