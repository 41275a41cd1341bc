// SPDX-License-Identifier: Apache-2.0
/*
 * Holds one thread of a process in its place, while the others go on.
 *
 *   hold_thread PID NAME
 *
 * It says "held", and ends with the thread. If it is killed itself, the thread goes on.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static int has_name(const char *process, const char *thread, const char *name)
{
        char path[300], found[32] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", process, thread);
        file = fopen(path, "re");
        if (!file)
                return 0;
        if (!fgets(found, sizeof(found), file))
                found[0] = 0;
        fclose(file);
        found[strcspn(found, "\n")] = 0;
        return strcmp(found, name) == 0;
}

static pid_t find(const char *process, const char *name)
{
        struct dirent *entry;
        char path[300];
        pid_t pid = -1;
        DIR *folder;

        snprintf(path, sizeof(path), "/proc/%s/task", process);
        folder = opendir(path);
        if (!folder)
                return -1;
        while (pid < 0 && (entry = readdir(folder)))
                if (has_name(process, entry->d_name, name))
                        pid = (pid_t)strtol(entry->d_name, NULL, 10);
        closedir(folder);
        return pid;
}

int main(int argc, char **argv)
{
        int status = 0;
        pid_t pid;

        if (argc != 3)
                return EXIT_FAILURE;
        pid = find(argv[1], argv[2]);
        if (pid < 0) {
                fprintf(stderr, "no thread %s in process %s\n", argv[2], argv[1]);
                return EXIT_FAILURE;
        }
        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
                ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
                waitpid(pid, &status, __WALL) < 0) {
                perror("ptrace");
                return EXIT_FAILURE;
        }
        puts("held");
        fflush(stdout);
        /* A traced thread is not gone before its tracer has heard so. */
        while (!WIFEXITED(status) && !WIFSIGNALED(status))
                if (waitpid(pid, &status, __WALL) < 0)
                        return EXIT_FAILURE;
        return EXIT_SUCCESS;
}
