// SPDX-License-Identifier: Apache-2.0
#include "cksum/files.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void files_take(struct files *files, char *const *paths, int count)
{
        for (int i = 0; i < count; i++) {
                if (files->count == FILES_MAX) {
                        printf("Only the first %d files are taken, %d are not.\n", FILES_MAX,
                                count - i);
                        return;
                }
                files->list[files->count].path = strdup(paths[i]);
                if (files->list[files->count].path)
                        files->count++;
        }
}

/* nftw() has no place for what it collects. */
static struct found {
        char *path;
        uint64_t size;
        ino_t inode;
} * found;
static size_t found_count, found_room;

static int collect(const char *path, const struct stat *info, int type, struct FTW *where)
{
        (void)where;
        if (type != FTW_F || !S_ISREG(info->st_mode) || !info->st_size || access(path, R_OK) < 0)
                return 0;
        if (found_count == found_room) {
                size_t room = found_room ? found_room * 2 : 1024;
                struct found *larger = reallocarray(found, room, sizeof(*found));

                if (!larger)
                        return 1;
                found = larger;
                found_room = room;
        }
        found[found_count].path = strdup(path);
        found[found_count].size = (uint64_t)info->st_size;
        found[found_count].inode = info->st_ino;
        if (found[found_count].path)
                found_count++;
        return 0;
}

/* Largest first; of the same size and inode, which are one file of two names, next to each other.
 */
static int compare(const void *a, const void *b)
{
        const struct found *one = a, *other = b;

        if (one->size != other->size)
                return one->size < other->size ? 1 : -1;
        if (one->inode != other->inode)
                return one->inode < other->inode ? 1 : -1;
        return strcmp(one->path, other->path);
}

static bool is_other_name(size_t i)
{
        return i > 0 && found[i].inode == found[i - 1].inode && found[i].size == found[i - 1].size;
}

void files_find(struct files *files, const char *folder, uint64_t bytes)
{
        nftw(folder, collect, 32, FTW_PHYS);
        if (found_count)
                qsort(found, found_count, sizeof(*found), compare);
        for (size_t i = 0; i < found_count && files->count < FILES_MAX; i++) {
                if (found[i].size > bytes || is_other_name(i))
                        continue;
                bytes -= found[i].size;
                files->list[files->count++].path = found[i].path;
                found[i].path = NULL;
        }
        for (size_t i = 0; i < found_count; i++)
                free(found[i].path);
        free(found);
        found = NULL;
        found_count = found_room = 0;
}

void files_free(struct files *files)
{
        for (unsigned i = 0; i < files->count; i++)
                free(files->list[i].path);
        files->count = 0;
}

bool files_are_same(const struct stat *one, const struct stat *other)
{
        return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
               one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
               one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}
