// SPDX-License-Identifier: Apache-2.0
#include "cksum/sandbox.h"

#include "cksum/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a worker is told: its number, whether it is the victim, and three ends of pipes. */
#define WORKER_FORMAT "%u,%u,%d,%d,%d"
#define WORKER_WORDS  5

static int keep_open(int fd)
{
        return fcntl(fd, F_SETFD, 0);
}

int sandbox_exec(const char *command, int peer, const struct plumbing *plumbing, unsigned number,
        bool is_victim)
{
        int tasks = plumbing->tasks[number][0], receipts = plumbing->receipts[1];
        int results = plumbing->results[number][1];
        char worker[128], fd[16], *line = NULL;

        snprintf(
                worker, sizeof(worker), WORKER_FORMAT, number, is_victim, tasks, receipts, results);
        snprintf(fd, sizeof(fd), "%d", peer);
        if (keep_open(peer) < 0 || keep_open(tasks) < 0 || keep_open(receipts) < 0 ||
                keep_open(results) < 0 || setenv("FILEMEM_FD", fd, 1) < 0 ||
                asprintf(&line, "exec %s --worker %s", command, worker) < 0) {
                perror("filemem-cksum: cannot prepare a sandbox");
                return 1;
        }
        execl("/bin/sh", "sh", "-c", line, NULL);
        perror("filemem-cksum: /bin/sh");
        free(line);
        return 1;
}

/* Numbers with commas between them. Returns 0 or -1. */
static int parse_words(const char *text, int words[WORKER_WORDS])
{
        for (int i = 0; i < WORKER_WORDS; i++) {
                char *end;
                long number = strtol(text, &end, 10);

                if (end == text || *end != (i < WORKER_WORDS - 1 ? ',' : '\0') || number < 0 ||
                        number > INT_MAX)
                        return -1;
                words[i] = (int)number;
                text = end + 1;
        }
        return 0;
}

int sandbox_run_worker(const char *argument)
{
        static struct plumbing plumbing;
        int words[WORKER_WORDS];

        if (parse_words(argument, words) < 0 || words[0] >= WORKERS_MAX) {
                fprintf(stderr, "filemem-cksum: --worker is what --sandbox says, not for people\n");
                return 2;
        }
        plumbing.tasks[words[0]][0] = words[2];
        plumbing.receipts[1] = words[3];
        plumbing.results[words[0]][1] = words[4];
        return worker_run(NULL, &plumbing, (unsigned)words[0], words[1] != 0);
}
