// SPDX-License-Identifier: Apache-2.0
#include "support/huge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define THP "/sys/kernel/mm/transparent_hugepage/"

static struct setting {
        const char *path;
        const char *wanted;
        char before[16]; /* empty: not changed */
} settings[] = {
        {.path = THP "shmem_enabled", .wanted = "advise"},
        /* Linux 6.11: each size has its own; not there before. */
        {.path = THP "hugepages-2048kB/shmem_enabled", .wanted = "inherit"},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* The word in brackets is what it is set to. */
static int change_setting(struct setting *setting)
{
        char text[128] = "", *word, *end;
        int r = guardian_read(setting->path, text, sizeof(text));

        if (r < 0)
                return r;
        word = strchr(text, '[');
        end = strchr(text, ']');
        if (!word || !end || (size_t)(end - word) > sizeof(setting->before))
                return -EINVAL;
        *end = '\0';
        r = guardian_write(setting->path, setting->wanted);
        if (r == 0)
                strcpy(setting->before, word + 1);
        return r;
}

enum change huge_set_up(void)
{
        for (unsigned i = 0; i < SETTINGS; i++) {
                int r = change_setting(&settings[i]);

                if (r == 0 || (i > 0 && r == -ENOENT))
                        continue;
                printf("%s: %s\n", settings[i].path, strerror(-r));
                return r == -EINVAL ? CHANGE_FAILED : CHANGE_IMPOSSIBLE;
        }
        /* So that there are free huge pages; without it there may be enough as well. */
        guardian_write("/proc/sys/vm/compact_memory", "1");
        return CHANGE_MADE;
}

bool huge_undo(void)
{
        bool undone = true;

        for (unsigned i = 0; i < SETTINGS; i++) {
                if (!settings[i].before[0] ||
                        guardian_write(settings[i].path, settings[i].before) == 0)
                        continue;
                printf("%s could not be set to %s again\n", settings[i].path, settings[i].before);
                undone = false;
        }
        return undone;
}
