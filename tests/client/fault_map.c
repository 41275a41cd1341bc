// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__real_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice);

static _Thread_local long left = -1; /* until the first that fails */
static _Thread_local long failing;   /* how many then */
static _Thread_local bool happened;
static _Thread_local int advice_error;

void fault_map_at(long n)
{
        fault_map_many(n, 1);
}

void fault_map_many(long n, long count)
{
        left = n;
        failing = count;
        happened = false;
}

static bool fails(void)
{
        if (left < 0 || left-- > 0)
                return false;
        left = --failing > 0 ? 0 : -1;
        happened = true;
        return true;
}

bool fault_map_happened(void)
{
        return happened;
}

void fault_advise(int error)
{
        advice_error = error;
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
        if (fails()) {
                errno = ENOMEM;
                return MAP_FAILED;
        }
        return __real_mmap(address, length, protection, flags, fd, offset);
}

int __wrap_madvise(void *address, size_t length, int advice)
{
        if (advice_error) {
                errno = advice_error;
                advice_error = 0;
                return -1;
        }
        return __real_madvise(address, length, advice);
}

bool fault_map_is_mapped(const void *address)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        uintptr_t wanted = (uintptr_t)address, start, end;
        bool found = false;
        char line[512];

        if (!maps)
                abort();
        while (!found && fgets(line, sizeof(line), maps)) {
                char *dash;

                start = strtoumax(line, &dash, 16);
                end = strtoumax(dash + 1, NULL, 16);
                found = start <= wanted && wanted < end;
        }
        fclose(maps);
        return found;
}
