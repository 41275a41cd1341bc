// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>
#include <stdbool.h>
#include <sys/stat.h>

/*
 * So many at most: whatever is said about each of them, in messages of 256 bytes at most, fits into
 * the 64 KiB of a pipe, so that no process ever waits for another one to read.
 */
#define FILES_MAX 64

/* What becomes of a file. */
enum file_state {
        FILE_WAITING,
        FILE_SKIPPED, /* cannot be read, or changed while it was */
        FILE_LOADED,  /* its bytes are in `range` */
        FILE_DONE,    /* and `crc` is known */
};

/* Known to every process until they fork; then the coordinator's copy is the one that is kept up.
 */
struct file {
        char *path;
        enum file_state state;
        struct stat info; /* when it was loaded */
        bool has_range;   /* an empty file has none */
        struct filemem_range range;
        unsigned worker; /* whose it is */
        uint32_t crc;
};

struct files {
        struct file list[FILES_MAX];
        unsigned count;
};

/* Takes the paths of the command line; says so if there are too many. */
void files_take(struct files *files, char *const *paths, int count);

/* Takes the largest regular readable files below a folder that are `bytes` together at most. */
void files_find(struct files *files, const char *folder, uint64_t bytes);

void files_free(struct files *files);

/* Whether these are the same contents, as far as their times tell. */
bool files_are_same(const struct stat *one, const struct stat *other);
