// SPDX-License-Identifier: Apache-2.0
#include "fork.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int fork_guard_init(struct fork_guard *guard)
{
        size_t size = (size_t)sysconf(_SC_PAGESIZE);
        void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED)
                return -errno;
        if (madvise(page, size, MADV_WIPEONFORK) < 0) {
                int r = -errno;

                munmap(page, size);
                return r;
        }
        guard->word = page;
        guard->size = size;
        *guard->word = 1;
        return 0;
}

void fork_guard_deinit(struct fork_guard *guard)
{
        if (guard->word)
                munmap((void *)guard->word, guard->size);
        guard->word = NULL;
}
