// SPDX-License-Identifier: Apache-2.0
#include "memory/memfile.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux 6.3; not in the headers of Debian 12. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC        0x0010U
#endif

#define ZERO_PIECE 65536

#define MEMFILE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int create_fd(const char *name, bool exec)
{
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd = memfd_create(name, flags | (exec ? MFD_EXEC : MFD_NOEXEC_SEAL));

        if (fd < 0 && errno == EINVAL) /* before 6.3: exec is only kept off by our fchmod */
                fd = memfd_create(name, flags);
        return fd < 0 ? -errno : fd;
}

/*
 * IMA measures a file when it is first mapped for exec, and would read all of a huge sparse one. So
 * that is done while the file has one page.
 */
static void measure_early(int fd, uint64_t page_size)
{
        void *page;

        if (ftruncate(fd, (off_t)page_size) < 0) {
                log_event(LOG_EXEC_UNPREPARED, log_nobody(),
                        "cannot size a pool's file for its first mapping: %s", strerror(errno));
                return;
        }
        page = mmap(NULL, page_size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED)
                log_event(LOG_EXEC_UNPREPARED, log_nobody(),
                        "cannot map a pool's file for exec: %s", strerror(errno));
        else
                munmap(page, page_size);
}

static int reopen(int fd, int mode)
{
        char path[32];
        int again;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, mode | O_CLOEXEC);
        return again < 0 ? -errno : again;
}

/* The file with the descriptors that are to be handed out. Takes over fd on 0. */
static int open_again(struct memfile *file, int fd, uint64_t capacity)
{
        cleanup_(fd_closep) int client_fd = reopen(fd, O_RDWR);
        cleanup_(fd_closep) int read_only_fd = -1;
        uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

        if (client_fd < 0)
                return client_fd;
        read_only_fd = reopen(fd, O_RDONLY);
        if (read_only_fd < 0)
                return read_only_fd;
        *file = (struct memfile){
                .fd = fd,
                .client_fd = steal_fd(&client_fd),
                .read_only_fd = steal_fd(&read_only_fd),
                .capacity = capacity,
                .page_size = page_size,
                .page_shift = (unsigned)__builtin_ctzll(page_size),
                .fallocate = fallocate,
        };
        return 0;
}

int memfile_create(struct memfile *file, const char *name, uint64_t capacity, bool exec)
{
        cleanup_(fd_closep) int fd = create_fd(name, exec);
        uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
        int r;

        if (fd < 0)
                return fd;
        if (fchmod(fd, 0600) < 0)
                return -errno;
        if (exec)
                measure_early(fd, page_size);
        if (ftruncate(fd, (off_t)capacity) < 0)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, MEMFILE_SEALS) < 0)
                return -errno;
        r = open_again(file, fd, capacity);
        if (r == 0)
                steal_fd(&fd);
        return r;
}

int memfile_adopt(struct memfile *file, int fd, uint64_t capacity)
{
        int seals = fcntl(fd, F_GET_SEALS);
        struct stat info;

        if (seals < 0 || fstat(fd, &info) < 0)
                return -errno;
        if ((seals & MEMFILE_SEALS) != MEMFILE_SEALS || (uint64_t)info.st_size != capacity)
                return -EBADMSG;
        return open_again(file, fd, capacity);
}

void memfile_close(struct memfile *file)
{
        file->fd = fd_close(file->fd);
        file->client_fd = fd_close(file->client_fd);
        file->read_only_fd = fd_close(file->read_only_fd);
}

static int call_fallocate(const struct memfile *file, int mode, struct range range)
{
        int r;

        lock_assert_none();
        do {
                r = file->fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)range.start,
                        (off_t)(range.end - range.start));
        } while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        progress_made();
        return 0;
}

int memfile_punch(const struct memfile *file, struct range range)
{
        return call_fallocate(file, FALLOC_FL_PUNCH_HOLE, range);
}

static int write_zeros(const struct memfile *file, struct range range)
{
        static const char zeros[ZERO_PIECE];

        while (range.start < range.end) {
                uint64_t left = range.end - range.start;
                ssize_t n = pwrite(
                        file->fd, zeros, left < ZERO_PIECE ? left : ZERO_PIECE, (off_t)range.start);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        range.start += (uint64_t)n;
                        progress_made();
                }
        }
        return 0;
}

int memfile_commit(const struct memfile *file, struct range range)
{
        int r = call_fallocate(file, 0, range);

        return r < 0 ? r : write_zeros(file, range);
}

int memfile_zero(const struct memfile *file, struct range range)
{
        struct range data = {0};
        int r;

        lock_assert_none();
        while ((r = memfile_find_data(file, range, &data)) == 0) {
                r = write_zeros(file, data);
                if (r < 0)
                        return r;
                if (data.end == range.end)
                        return 0;
                range.start = data.end;
        }
        return r == -ENXIO ? 0 : r;
}

int memfile_stat(const struct memfile *file, struct memfile_state *ret)
{
        struct stat info;

        if (fstat(file->fd, &info) < 0)
                return -errno;
        ret->stored = (uint64_t)info.st_blocks * 512;
        ret->changed = (int64_t)info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec;
        return 0;
}

int memfile_find_data(const struct memfile *file, struct range range, struct range *ret)
{
        off_t start = lseek(file->fd, (off_t)range.start, SEEK_DATA), end;

        if (start < 0)
                return -errno;
        if ((uint64_t)start >= range.end)
                return -ENXIO;
        end = lseek(file->fd, start, SEEK_HOLE);
        if (end < 0)
                return -errno;
        progress_made();
        ret->start = (uint64_t)start;
        ret->end = (uint64_t)end < range.end ? (uint64_t)end : range.end;
        /* Somebody may have punched in between: then the hole is at once. */
        return ret->start < ret->end ? 0 : -EAGAIN;
}
