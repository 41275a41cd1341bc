// SPDX-License-Identifier: Apache-2.0
#include "fork.h"

#include <errno.h>
#include <sys/mman.h>

int fork_guard_init(struct fork_guard *guard, void *page, size_t size)
{
        if (madvise(page, size, MADV_WIPEONFORK) < 0)
                return -errno;
        guard->word = page;
        *guard->word = 1;
        return 0;
}
