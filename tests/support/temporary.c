// SPDX-License-Identifier: Apache-2.0
#include "support/temporary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int temporary_path(char *path, size_t size, const char *name)
{
        const char *folder = getenv("TMPDIR");
        int length = snprintf(path, size, "%s/%s", folder && *folder ? folder : "/tmp", name);

        return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}
