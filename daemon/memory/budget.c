// SPDX-License-Identifier: Apache-2.0
#include "memory/budget.h"

#include "base/cleanup.h"
#include "base/lock.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 4096
#define TEXT_SIZE 16384

#define RESERVE_SHARE 32
#define RESERVE_MIN   (UINT64_C(16) << 20)

/* What cgroups of version 1 say for no limit is near this, rounded to a page. */
#define NO_LIMIT ((uint64_t)INT64_MAX / 2)

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Reads a file whole, or as much as there is room for. Returns 0 or a negative errno. */
static int read_text(const char *path, char text[TEXT_SIZE])
{
        cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t used = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        while (used < TEXT_SIZE - 1) {
                n = read(fd, text + used, TEXT_SIZE - 1 - used);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        text[used] = '\0';
        return 0;
}

/* The number behind a word and a colon or space. Returns false if there is none. */
static bool find_number(const char *text, const char *word, uint64_t *ret)
{
        size_t length = strlen(word);

        for (const char *at = text; (at = strstr(at, word)); at += length) {
                const char *value = at + length + strspn(at + length, ": \t");

                if ((at > text && !isspace((unsigned char)at[-1])) || value == at + length ||
                        !isdigit((unsigned char)*value))
                        continue;
                *ret = strtoull(value, NULL, 10);
                return true;
        }
        return false;
}

static uint64_t find_kibibytes(const char *text, const char *word)
{
        uint64_t number = 0;

        find_number(text, word, &number);
        return number << 10;
}

/* A file that has nothing but a number. Returns false if it is not there, or says "max". */
static bool read_number(const char *folder, const char *name, uint64_t *ret)
{
        char path[PATH_SIZE], text[TEXT_SIZE];

        if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
                read_text(path, text) < 0 || !isdigit((unsigned char)text[0]))
                return false;
        *ret = strtoull(text, NULL, 10);
        return true;
}

/* What is left of `free` beyond the reserve of a whole of `total`. */
static uint64_t spare(uint64_t total, uint64_t free)
{
        uint64_t reserve = total / RESERVE_SHARE;

        if (reserve < RESERVE_MIN)
                reserve = RESERVE_MIN;
        return free > reserve ? free - reserve : 0;
}

/* ---- the host ----------------------------------------------------------------------------------
 */

/* Where /proc/meminfo is hidden (ProcSubset=pid of systemd): what each node of memory has. */
static int read_nodes(const char *sys, uint64_t *ret)
{
        uint64_t total = 0, free = 0;
        char path[PATH_SIZE], text[TEXT_SIZE];

        for (unsigned node = 0;; node++) {
                snprintf(path, sizeof(path), "%s/devices/system/node/node%u/meminfo", sys, node);
                if (read_text(path, text) < 0)
                        break;
                total += find_kibibytes(text, "MemTotal");
                free += find_kibibytes(text, "MemFree");
                free += find_kibibytes(text, "Active(file)");
                free += find_kibibytes(text, "Inactive(file)");
        }
        if (!total)
                return -ENOENT;
        *ret = spare(total, free);
        return 0;
}

static int read_host(const char *proc, const char *sys, uint64_t *ret)
{
        char path[PATH_SIZE], text[TEXT_SIZE];
        uint64_t available;

        snprintf(path, sizeof(path), "%s/meminfo", proc);
        if (read_text(path, text) < 0 || !find_number(text, "MemAvailable", &available))
                return read_nodes(sys, ret);
        *ret = spare(find_kibibytes(text, "MemTotal"), available << 10);
        return 0;
}

/* ---- cgroups -----------------------------------------------------------------------------------
 */

/* The names of one version of cgroups. */
struct names {
        const char *limit;
        const char *usage;
        const char *inactive;
        const char *active;
};

static const struct names unified = {
        "memory.max", "memory.current", "inactive_file", "active_file"};
static const struct names legacy = {"memory.limit_in_bytes", "memory.usage_in_bytes",
        "total_inactive_file", "total_active_file"};

/* Page cache, which the kernel takes back before it kills. */
static uint64_t read_cache(const char *folder, const struct names *names)
{
        uint64_t inactive = 0, active = 0;
        char path[PATH_SIZE], text[TEXT_SIZE];

        if (snprintf(path, sizeof(path), "%s/memory.stat", folder) < (int)sizeof(path) &&
                read_text(path, text) == 0) {
                find_number(text, names->inactive, &inactive);
                find_number(text, names->active, &active);
        }
        return inactive + active;
}

/* What may still be committed in one cgroup; UINT64_MAX where it has no limit. */
static uint64_t read_cgroup(const char *folder, const struct names *names)
{
        uint64_t limit, usage, cache;

        if (!read_number(folder, names->limit, &limit) || limit > NO_LIMIT ||
                !read_number(folder, names->usage, &usage))
                return UINT64_MAX;
        cache = read_cache(folder, names);
        usage = usage > cache ? usage - cache : 0;
        return limit > usage ? spare(limit, limit - usage) : 0;
}

/* The least of a cgroup and all above it. */
static uint64_t read_cgroups(const char *root, const char *cgroup, const struct names *names)
{
        size_t length = strlen(root);
        uint64_t least = UINT64_MAX;
        char folder[PATH_SIZE];

        if (snprintf(folder, sizeof(folder), "%s%s", root, cgroup) >= (int)sizeof(folder))
                return least;
        for (;;) {
                uint64_t left = read_cgroup(folder, names);
                char *slash = strrchr(folder + length, '/');

                if (left < least)
                        least = left;
                if (!slash)
                        return least;
                *slash = '\0';
        }
}

/* Whether the list of controllers of a line of /proc/self/cgroup has memory in it. */
static bool has_memory(const char *list)
{
        char *copy = strndupa(list, strcspn(list, ":")), *save;

        for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save))
                if (strcmp(word, "memory") == 0)
                        return true;
        return false;
}

/* One line: "0::/path" for version 2, "N:LIST:/path" for version 1. */
static uint64_t read_line(const char *sys, char *line)
{
        char *list = strchr(line, ':'), *cgroup = list ? strchr(list + 1, ':') : NULL;
        char root[PATH_SIZE];

        if (!cgroup)
                return UINT64_MAX;
        cgroup++;
        if (list[1] == ':') {
                snprintf(root, sizeof(root), "%s/fs/cgroup", sys);
                return read_cgroups(root, cgroup, &unified);
        }
        if (!has_memory(list + 1))
                return UINT64_MAX;
        snprintf(root, sizeof(root), "%s/fs/cgroup/memory", sys);
        return read_cgroups(root, cgroup, &legacy);
}

int budget_read(const char *proc, const char *sys, uint64_t *ret)
{
        char path[PATH_SIZE], text[TEXT_SIZE], *save;
        uint64_t least;
        int r;

        lock_assert_none();
        r = read_host(proc, sys, &least);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "%s/self/cgroup", proc);
        if (read_text(path, text) < 0)
                text[0] = '\0';
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                uint64_t left = read_line(sys, line);

                if (left < least)
                        least = left;
        }
        *ret = least;
        return 0;
}

int budget_available(uint64_t *ret)
{
        return budget_read("/proc", "/sys", ret);
}
