// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usage/range.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The file of a pool, and the only place with system calls on it. Sized once, sparse, sealed
 * against resizing and further seals before anyone else gets it, so that no client can take pages
 * away from another (SIGBUS) or forbid punching, and the kernel enforces the capacity.
 *
 * It is open three times. Clients get an open file description that is not the daemon's: what they
 * do to its offset and flags (O_APPEND would redirect a pwrite) is between them. One of the two for
 * them is open for reading only; since the file has mode 0600 another user cannot reopen it for
 * writing.
 *
 * Thread safe but for creation and closing. Offsets and lengths are bytes.
 */
struct memfile {
        int fd;           /* the daemon's */
        int client_fd;    /* the one to hand out */
        int read_only_fd; /* the one to hand out to those who may only read */
        uint64_t capacity;
        uint64_t page_size;
        unsigned page_shift; /* page_size is 1 << page_shift */

        /* fallocate(2); tests put one in its place that fails. */
        int (*fallocate)(int fd, int mode, off_t offset, off_t length);
};

#define MEMFILE_NONE                                                                               \
        {                                                                                          \
                .fd = -1, .client_fd = -1, .read_only_fd = -1                                      \
        }

/*
 * name: shown in /proc/PID/maps. capacity: a multiple of the page size. Returns 0 or a negative
 * errno.
 */
int memfile_create(struct memfile *file, const char *name, uint64_t capacity, bool exec);

/*
 * The same of a file that was made so by a daemon before this one. Takes over the descriptor on 0.
 * Returns 0, -EBADMSG if it is not such a file of that capacity, or another negative errno.
 */
int memfile_adopt(struct memfile *file, int fd, uint64_t capacity);
void memfile_close(struct memfile *file);

/* Gives the pages back to the kernel: they read as zero. Returns 0 or a negative errno. */
int memfile_punch(const struct memfile *file, struct range range);

/*
 * Has the kernel store every page of the range, all zero. Room for all of them is taken first:
 * where there is none the result is -ENOMEM or -ENOSPC and none is stored that was not before; over
 * the limit of a cgroup the kernel kills instead. Then they are written, because pages that were
 * given room and nothing else are a hole to SEEK_DATA, and we would not find them again. Returns 0
 * or a negative errno.
 */
int memfile_commit(const struct memfile *file, struct range range);

/* Writes zeros over what is stored in the range. Slow; for when punching fails. 0 or negative
 * errno. */
int memfile_zero(const struct memfile *file, struct range range);

struct memfile_state {
        uint64_t stored; /* bytes, in RAM or swap */
        int64_t changed; /* ctime in ns: punching and write(2) change it, and so may writing
                            to a mapping, where a page is first touched through it */
};

/* fstat(2). Returns 0 or a negative errno. */
int memfile_stat(const struct memfile *file, struct memfile_state *ret);

/*
 * The first stored bytes in a range. Returns 0, -ENXIO if there are none, or another negative
 * errno.
 */
int memfile_find_data(const struct memfile *file, struct range range, struct range *ret);
