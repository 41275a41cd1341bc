// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that share memory through filememd, on a job that has an answer to check: the checksums
 * of files.
 *
 *   coordinator   holds every range until its checksum is known; so no death loses anything
 *   loader        reads the files into ranges, hands them over, lets go, and is gone
 *   workers       hold what they were given, map it, and compute; one is killed on the way
 *
 * All they tell each other are offsets. Each process opens its own session, after the forks.
 */
#include "cksum/coordinator.h"
#include "cksum/crc.h"
#include "cksum/loader.h"
#include "cksum/report.h"
#include "cksum/stage.h"
#include "cksum/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Forks a child that does not outlive its parent. */
static pid_t fork_child(void)
{
        pid_t parent = getpid(), child;

        fflush(stdout);
        child = fork();
        if (child)
                return child;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        return 0;
}

/* Returns 0, or -1 if there are no more processes; those that were made are known. */
static int fork_all(struct coordinator *coordinator)
{
        struct plumbing *plumbing = coordinator->plumbing;
        const char *socket = coordinator->options->socket;

        for (unsigned i = 0; i < plumbing->workers; i++) {
                coordinator->workers[i] = fork_child();
                if (coordinator->workers[i] < 0)
                        return -1;
                if (!coordinator->workers[i]) {
                        plumbing_keep_worker(plumbing, i);
                        _exit(worker_run(socket, plumbing, i, i == VICTIM));
                }
        }
        coordinator->loader = fork_child();
        if (coordinator->loader < 0)
                return -1;
        if (!coordinator->loader) {
                plumbing_keep_loader(plumbing);
                _exit(loader_run(socket, coordinator->files, plumbing));
        }
        return 0;
}

static int start(struct coordinator *coordinator)
{
        int r = plumbing_make(coordinator->plumbing, coordinator->options->workers);

        if (r == 0) {
                coordinator->started_at = report_now();
                r = fork_all(coordinator) < 0 ? -errno : 0;
                plumbing_keep_coordinator(coordinator->plumbing);
        }
        if (r < 0)
                fprintf(stderr, "filemem-cksum: cannot start processes: %s\n", strerror(-r));
        return r;
}

int main(int argc, char **argv)
{
        static struct plumbing plumbing;
        static struct files files;
        struct options options;
        struct coordinator coordinator = {
                .options = &options, .files = &files, .plumbing = &plumbing};
        int r = options_parse(&options, argc, argv);

        if (r >= 0)
                return r;
        signal(SIGPIPE, SIG_IGN);
        crc_prepare();
        if (options.path_count)
                files_take(&files, options.paths, options.path_count);
        else
                files_find(&files, "/usr/lib", options.bytes);
        r = stage_run(options.at_stage, "before");
        if (r == 0)
                r = start(&coordinator);
        r = r < 0 ? 1 : coordinator_run(&coordinator);
        files_free(&files);
        if (fflush(stdout) < 0)
                r = 1;
        return r;
}
