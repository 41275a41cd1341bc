// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that share memory through filememd, on a job that has an answer to check: the checksums
 * of files.
 *
 *   coordinator   holds every range until its checksum is known; so no death loses anything
 *   loader        reads the files into ranges, hands them over, lets go, and is gone
 *   workers       hold what they were given, map it, and compute; one is killed on the way
 *
 * All they tell each other are offsets. Each process opens its own session, after the forks; or a
 * worker is in a sandbox (--sandbox), and inherits one.
 */
#include "cksum/coordinator.h"
#include "cksum/crc.h"
#include "cksum/loader.h"
#include "cksum/report.h"
#include "cksum/sandbox.h"
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

/* A worker that goes to a sandbox takes a session along that is made for it here. */
static int open_peer(struct coordinator *coordinator, int *ret)
{
        struct filemem_peer_options how = {.size = sizeof(how), .label = "cksum worker"};

        *ret = -1;
        if (!coordinator->options->sandbox)
                return 0;
        return filemem_open_peer(coordinator->session, &how, ret);
}

static int run_worker(const struct coordinator *coordinator, unsigned number, int peer)
{
        const struct options *options = coordinator->options;
        struct plumbing *plumbing = coordinator->plumbing;

        plumbing_keep_worker(plumbing, number);
        if (options->sandbox)
                return sandbox_exec(options->sandbox, peer, plumbing, number, number == VICTIM);
        return worker_run(options->socket, plumbing, number, number == VICTIM);
}

/* Returns 0 or a negative errno. */
static int fork_worker(struct coordinator *coordinator, unsigned number)
{
        int peer, r = open_peer(coordinator, &peer);

        if (r < 0)
                return r;
        coordinator->workers[number] = fork_child();
        r = coordinator->workers[number] < 0 ? -errno : 0;
        if (!coordinator->workers[number])
                _exit(run_worker(coordinator, number, peer));
        plumbing_close(&peer); /* so that the worker's session is the worker's alone */
        return r;
}

/* Returns 0 or a negative errno; those that were made are known. */
static int fork_all(struct coordinator *coordinator)
{
        struct plumbing *plumbing = coordinator->plumbing;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < plumbing->workers; i++)
                r = fork_worker(coordinator, i);
        if (r < 0)
                return r;
        coordinator->loader = fork_child();
        if (coordinator->loader < 0)
                return -errno;
        if (!coordinator->loader) {
                filemem_close(coordinator->session); /* in a child: its copy of the socket */
                plumbing_keep_loader(plumbing);
                _exit(loader_run(coordinator->options->socket, coordinator->files, plumbing));
        }
        return 0;
}

static int start(struct coordinator *coordinator)
{
        int r = plumbing_make(coordinator->plumbing, coordinator->options->workers);

        if (r == 0 && coordinator->options->sandbox && coordinator_open(coordinator) < 0)
                return -EIO; /* it has said why */
        if (r == 0) {
                coordinator->started_at = report_now();
                r = fork_all(coordinator);
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
        if (options.worker)
                return sandbox_run_worker(options.worker);
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
