// SPDX-License-Identifier: Apache-2.0
#include "cksum/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* cksum < path > output: so no name can be taken for an option or change the output. */
static int spawn_cksum(const char *path, int output, pid_t *ret)
{
        char *arguments[] = {(char *)"cksum", NULL};
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r)
                return -r;
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path, O_RDONLY, 0);
        if (!r)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (!r)
                r = posix_spawnp(ret, "cksum", &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int read_output(int fd, char *text, size_t size)
{
        size_t at = 0;
        ssize_t n;

        while (at < size - 1 && (n = read(fd, text + at, size - 1 - at)) != 0) {
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        at += (size_t)n;
        }
        text[at] = '\0';
        return 0;
}

/* "CRC SIZE". Returns 0 or -1. */
static int parse_output(const char *text, uint32_t *ret_crc, uint64_t *ret_size)
{
        char *end;
        uintmax_t crc = strtoumax(text, &end, 10);

        if (end == text || *end != ' ' || crc > UINT32_MAX)
                return -1;
        *ret_crc = (uint32_t)crc;
        text = end;
        *ret_size = strtoumax(text, &end, 10);
        return end == text ? -1 : 0;
}

static int run_cksum(const char *path, uint32_t *ret_crc, uint64_t *ret_size)
{
        char text[128] = "";
        int status = 0, fds[2], r;
        pid_t pid = -1;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        r = spawn_cksum(path, fds[1], &pid);
        close(fds[1]);
        if (r == 0) {
                r = read_output(fds[0], text, sizeof(text));
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        ;
        }
        close(fds[0]);
        if (r < 0)
                return r;
        if (!WIFEXITED(status) || WEXITSTATUS(status) || parse_output(text, ret_crc, ret_size) < 0)
                return -EIO;
        return 0;
}

static int compare_one(const struct file *file, struct comparison *comparison)
{
        uint32_t crc = 0;
        uint64_t size = 0;
        struct stat now;
        int r = run_cksum(file->path, &crc, &size);

        if (stat(file->path, &now) < 0 || !files_are_same(&file->info, &now)) {
                printf("  %s: changed meanwhile, not compared\n", file->path);
                comparison->changed++;
                return 0;
        }
        if (r < 0) {
                fprintf(stderr, "filemem-cksum: cannot run cksum for %s: %s\n", file->path,
                        strerror(-r));
                return r;
        }
        if (crc == file->crc && size == (uint64_t)file->info.st_size) {
                comparison->equal++;
                return 0;
        }
        printf("  %s: cksum says %" PRIu32 " %" PRIu64 ", we %" PRIu32 " %" PRIu64 "\n", file->path,
                crc, size, file->crc, (uint64_t)file->info.st_size);
        comparison->different++;
        return 0;
}

int compare_all(const struct files *files, struct comparison *ret)
{
        *ret = (struct comparison){0};
        for (unsigned i = 0; i < files->count; i++) {
                int r;

                if (files->list[i].state != FILE_DONE)
                        continue;
                r = compare_one(&files->list[i], ret);
                if (r < 0)
                        return r;
        }
        return 0;
}
