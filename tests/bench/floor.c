// SPDX-License-Identifier: Apache-2.0
#include "bench/floor.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ROUNDS 50000
#define TRIES  10

/* The least of some tries: in the others somebody else had the core for a while. */
static double floor_of(void (*function)(void *argument), void *argument)
{
        uint64_t least = UINT64_MAX;

        for (unsigned i = 0; i < TRIES; i++) {
                uint64_t start = clock_now(), time;

                function(argument);
                time = clock_now() - start;
                if (time < least)
                        least = time;
        }
        return (double)least / ROUNDS;
}

static void read_clock(void *argument)
{
        uint64_t *sum = argument;

        for (unsigned i = 0; i < ROUNDS; i++)
                *sum += clock_now();
}

static void lock_and_unlock(void *argument)
{
        pthread_mutex_t *mutex = argument;

        for (unsigned i = 0; i < ROUNDS; i++) {
                pthread_mutex_lock(mutex);
                pthread_mutex_unlock(mutex);
        }
}

double floor_clock(void)
{
        uint64_t sum = 0;

        return floor_of(read_clock, &sum);
}

double floor_lock(void)
{
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

        return floor_of(lock_and_unlock, &mutex);
}

int floor_file(uint64_t size)
{
        cleanup_(fd_closep) int fd = memfd_create("floor", MFD_CLOEXEC);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                return -errno;
        return steal_fd(&fd);
}

/* ---- punching ----------------------------------------------------------------------------------
 */

#define PUNCH_MAX (UINT64_C(128) << 20)

static int punch(int fd, uint64_t start, uint64_t length)
{
        while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
                       (off_t)length) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int floor_punch(int fd, uint64_t start, uint64_t end, uint64_t *ret)
{
        uint64_t from = clock_now();
        int r = 0;

        while (r == 0 && start < end) {
                uint64_t length = end - start < PUNCH_MAX ? end - start : PUNCH_MAX;

                r = punch(fd, start, length);
                start += length;
        }
        *ret = clock_now() - from;
        return r;
}

int floor_punch_pages(int fd, uint64_t start, uint64_t count, uint64_t *ret)
{
        uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE), from = clock_now();
        int r = 0;

        for (uint64_t i = 0; r == 0 && i < count; i++)
                r = punch(fd, start + 2 * i * page_size, page_size);
        *ret = clock_now() - from;
        return r;
}

/* ---- counting ----------------------------------------------------------------------------------
 */

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* of every architecture, since Linux 6.5 */
#endif

int floor_count(int fd, uint64_t start, uint64_t end, uint64_t *ret)
{
        struct {
                uint64_t offset, length;
        } range = {start, end - start};
        struct {
                uint64_t cache, dirty, writeback, evicted, recently_evicted;
        } counts;
        struct stat status;
        uint64_t from = clock_now();

        if (fstat(fd, &status) < 0 || syscall(SYS_cachestat, fd, &range, &counts, 0) < 0)
                return -errno;
        *ret = clock_now() - from;
        return 0;
}

int floor_mincore(int fd, uint64_t start, uint64_t end, uint64_t *ret)
{
        uint64_t length = end - start, from;
        unsigned char *vector = malloc(length / (uint64_t)sysconf(_SC_PAGESIZE) + 1);
        void *address = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)start);
        int r = vector && address != MAP_FAILED ? 0 : -ENOMEM;

        from = clock_now();
        if (r == 0 && mincore(address, length, vector) < 0)
                r = -errno;
        *ret = clock_now() - from;
        if (address != MAP_FAILED)
                munmap(address, length);
        free(vector);
        return r;
}

/* ---- replacing ---------------------------------------------------------------------------------
 */

#define PAIRS 20000

/* Apart as allocations of the middle length are. */
#define APART 32

static int replace(int fd, unsigned char *address, uint64_t step, uint64_t *ret)
{
        uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE), from;

        for (uint64_t i = 0; i < PAIRS; i++)
                address[i * step] = 1;
        from = clock_now();
        for (uint64_t i = 0; i < PAIRS; i++) {
                int r = punch(fd, i * step, page_size);

                if (r < 0)
                        return r;
                address[i * step] = 1;
        }
        *ret = (clock_now() - from) / PAIRS;
        return 0;
}

int floor_replace(uint64_t *ret)
{
        uint64_t step = APART * (uint64_t)sysconf(_SC_PAGESIZE);
        cleanup_(fd_closep) int fd = floor_file(PAIRS * step);
        void *address;
        int r;

        if (fd < 0)
                return fd;
        address = mmap(NULL, PAIRS * step, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (address == MAP_FAILED)
                return -errno;
        r = replace(fd, address, step, ret);
        munmap(address, PAIRS * step);
        return r;
}
