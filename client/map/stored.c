// SPDX-License-Identifier: Apache-2.0
#include "map/stored.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.5; not in the headers of Debian 12. The number is the same on every architecture. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct cachestat_range {
        uint64_t offset;
        uint64_t length;
};

struct cachestat {
        uint64_t cached;
        uint64_t dirty;
        uint64_t writeback;
        uint64_t evicted; /* for a memfd: in swap */
        uint64_t recently_evicted;
};

/* The file is shared with nobody: a session has an open file description of its own. */
static int64_t walk(int fd, struct filemem_range range)
{
        int64_t sum = 0;

        while (range.start < range.end) {
                off_t data = lseek(fd, (off_t)range.start, SEEK_DATA), hole;

                if (data < 0)
                        return errno == ENXIO ? sum : -errno;
                if ((uint64_t)data >= range.end)
                        return sum;
                hole = lseek(fd, data, SEEK_HOLE);
                if (hole < 0)
                        return errno == ENXIO ? sum : -errno;
                range.start = (uint64_t)hole;
                sum += (int64_t)((uint64_t)hole < range.end ? (uint64_t)hole : range.end) - data;
        }
        return sum;
}

int64_t map_stored_bytes(int fd, struct filemem_range range)
{
        struct cachestat_range asked = {range.start, range.end - range.start};
        struct cachestat pages;

        if (syscall(SYS_cachestat, fd, &asked, &pages, 0) == 0)
                return (int64_t)((pages.cached + pages.evicted) * (uint64_t)sysconf(_SC_PAGESIZE));
        return walk(fd, range);
}
