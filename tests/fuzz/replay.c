// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a fuzz target once on every file of the folders that are its arguments: what a fuzzer found
 * once stays found, with any compiler.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (1u << 20)

static int replay_file(const char *folder, const char *name)
{
        static uint8_t data[INPUT_MAX];
        char path[4096];
        size_t size;
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "re");
        if (!file) {
                perror(path);
                return -1;
        }
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        printf("%s: %zu bytes\n", path, size);
        fflush(stdout); /* so that it is known which one aborts */
        LLVMFuzzerTestOneInput(data, size);
        return 0;
}

/* Returns how many files there were, or -1. */
static int replay_folder(const char *folder)
{
        DIR *entries = opendir(folder);
        const struct dirent *entry;
        int count = 0;

        if (!entries) {
                perror(folder);
                return -1;
        }
        while (count >= 0 && (entry = readdir(entries)) != NULL) {
                if (entry->d_name[0] == '.')
                        continue;
                count = replay_file(folder, entry->d_name) < 0 ? -1 : count + 1;
        }
        closedir(entries);
        return count;
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++)
                if (replay_folder(argv[i]) <= 0) {
                        fprintf(stderr, "%s: nothing replayed\n", argv[i]);
                        return EXIT_FAILURE;
                }
        return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
