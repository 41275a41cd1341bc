// SPDX-License-Identifier: Apache-2.0
#include "fork.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(atomic_ulong *) the_word;
/* In memory as any other: a child goes on counting where its parent was. */
static atomic_ulong last_generation;

/* Of two threads that make it at once the second one takes what the first one made. */
static int make_word(atomic_ulong **ret)
{
        size_t size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_ulong *made =
                mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        atomic_ulong *theirs = NULL;

        if (made == MAP_FAILED)
                return -ENOMEM;
        if (madvise(made, size, MADV_WIPEONFORK) < 0) {
                int r = -errno;

                munmap(made, size);
                return r;
        }
        if (!atomic_compare_exchange_strong(&the_word, &theirs, made)) {
                munmap(made, size);
                made = theirs;
        }
        *ret = made;
        return 0;
}

int fork_guard_init(struct fork_guard *guard)
{
        atomic_ulong *word = atomic_load(&the_word);
        unsigned long generation;

        if (!word) {
                int r = make_word(&word);

                if (r < 0)
                        return r;
        }
        generation = atomic_load(word);
        if (!generation) {
                unsigned long next = atomic_fetch_add(&last_generation, 1) + 1;

                if (atomic_compare_exchange_strong(word, &generation, next))
                        generation = next;
        }
        *guard = (struct fork_guard){.word = word, .generation = generation};
        return 0;
}
