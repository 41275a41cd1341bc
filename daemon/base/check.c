// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
        fprintf(stderr, "filemem: broken invariant: %s (%s:%d, %s)\n", condition, file, line,
                function);
        abort();
}
