// SPDX-License-Identifier: Apache-2.0
#include "cksum/coordinator.h"

#include "cksum/compare.h"
#include "cksum/crc.h"
#include "cksum/report.h"
#include "cksum/stage.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the daemon may take to give back what was released, in ns. */
#define SETTLE_TIMEOUT UINT64_C(20000000000)

static int fail(const struct coordinator *coordinator, const char *what, int error)
{
        const char *sentence = filemem_last_error(coordinator->session);

        fprintf(stderr, "filemem-cksum: %s: %s\n", what, sentence[0] ? sentence : strerror(-error));
        return error;
}

/* Waits for a child and forgets it. Returns what waitpid() says, or -1. */
static int reap(pid_t *pid)
{
        int status = -1;

        while (waitpid(*pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -1;
        *pid = 0;
        return status;
}

/* ---- what the others say --------------------------------------------------------------------- */

/* What the loader says of a file that it did not put into a range. Returns whether that is so. */
static bool take_note(struct file *file, const struct announcement *about)
{
        if (about->error) {
                file->state = FILE_SKIPPED;
                printf("  %s: skipped: %s\n", file->path,
                        about->error == ESTALE ? "it changed while it was read"
                                               : strerror(about->error));
                return true;
        }
        if (about->has_range)
                return false;
        file->state = FILE_DONE;
        file->crc = crc_finish(0, 0);
        printf("  %s: empty, needs no range\n", file->path);
        return true;
}

static int take_announcement(struct coordinator *coordinator)
{
        struct announcement about;
        struct receipt receipt;
        struct file *file;
        int r = plumbing_read(coordinator->plumbing->announcements[0], &about, sizeof(about));

        if (r == 0) {
                plumbing_close(&coordinator->plumbing->announcements[0]);
                return 0;
        }
        if (r < 0 || about.file >= coordinator->files->count)
                return fail(coordinator, "the loader makes no sense", r < 0 ? r : -EPROTO);
        file = &coordinator->files->list[about.file];
        file->info = about.info;
        if (take_note(file, &about))
                return 0;
        r = filemem_incref(coordinator->session, about.range);
        if (r < 0)
                return fail(coordinator, "cannot take a reference", r);
        file->state = FILE_LOADED;
        file->has_range = true;
        file->range = about.range;
        file->worker = about.worker;
        coordinator->loaded++;
        coordinator->bytes += (uint64_t)about.info.st_size;
        receipt.file = about.file;
        r = plumbing_write(coordinator->plumbing->receipts[1], &receipt, sizeof(receipt));
        return r <= 0 ? fail(coordinator, "the loader is gone", -EPIPE) : 0;
}

static int take_result(struct coordinator *coordinator, unsigned worker)
{
        struct result result;
        struct file *file;
        int r = plumbing_read(coordinator->plumbing->results[worker][0], &result, sizeof(result));

        if (r <= 0 || result.file >= coordinator->files->count)
                return fail(coordinator, "a worker ended too early", r < 0 ? r : -ECHILD);
        file = &coordinator->files->list[result.file];
        if (file->state != FILE_LOADED || file->worker != worker)
                return fail(coordinator, "a worker makes no sense", -EPROTO);
        if (result.stopped) {
                coordinator->victim_stopped = true;
                coordinator->victim_file = result.file;
                coordinator->victim_bytes = result.bytes;
                return 0;
        }
        file->state = FILE_DONE;
        file->crc = result.crc;
        coordinator->computed += result.time;
        coordinator->done++;
        return 0;
}

/* Waits for one message and takes it. The loader's go first: workers speak of what it has said. */
static int take_one(struct coordinator *coordinator)
{
        struct plumbing *plumbing = coordinator->plumbing;
        struct pollfd wanted[WORKERS_MAX + 1];
        int r;

        wanted[0] = (struct pollfd){.fd = plumbing->announcements[0], .events = POLLIN};
        for (unsigned i = 0; i < plumbing->workers; i++)
                wanted[i + 1] = (struct pollfd){.fd = plumbing->results[i][0], .events = POLLIN};
        do
                r = poll(wanted, plumbing->workers + 1, -1);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return fail(coordinator, "cannot wait", -errno);
        if (wanted[0].revents)
                return take_announcement(coordinator);
        for (unsigned i = 0; i < plumbing->workers; i++)
                if (wanted[i + 1].revents)
                        return take_result(coordinator, i);
        return 0;
}

/* ---- the stages ------------------------------------------------------------------------------ */

static int see_loader_off(struct coordinator *coordinator)
{
        uint64_t time;

        while (coordinator->plumbing->announcements[0] >= 0) {
                int r = take_one(coordinator);

                if (r < 0)
                        return r;
        }
        if (reap(&coordinator->loader) != 0)
                return fail(coordinator, "the loader failed", -EIO);
        time = report_now() - coordinator->started_at;
        if (!coordinator->loaded)
                return fail(coordinator, "there is no file to work on", -ENOENT);
        printf("Loaded %u files, %s, into ranges of kind PageCache in %.2f s (%s).\n",
                coordinator->loaded, report_bytes(coordinator->bytes), report_seconds(time),
                report_rate(coordinator->bytes, time));
        printf("The loader has let go of all ranges and is gone; %u of %u files were done by "
               "then.\n",
                coordinator->done, coordinator->loaded);
        return 0;
}

static int kill_victim(struct coordinator *coordinator)
{
        pid_t pid = coordinator->workers[VICTIM];
        int status;

        while (!coordinator->victim_stopped) {
                int r = take_one(coordinator);

                if (r < 0)
                        return r;
        }
        kill(pid, SIGKILL);
        status = reap(&coordinator->workers[VICTIM]);
        plumbing_close(&coordinator->plumbing->results[VICTIM][0]);
        plumbing_close(&coordinator->plumbing->tasks[VICTIM][1]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                return fail(coordinator, "the victim did not die as it should", -EIO);
        printf("Worker %u (process %d) was killed by SIGKILL after %s of %s.\n", VICTIM, (int)pid,
                report_bytes(coordinator->victim_bytes),
                coordinator->files->list[coordinator->victim_file].path);
        return 0;
}

/* The others get what the victim has not done. They can, because we hold it. */
static int redo(struct coordinator *coordinator)
{
        unsigned next = VICTIM + 1, count = 0;
        uint64_t bytes = 0;

        for (unsigned i = 0; i < coordinator->files->count; i++) {
                struct file *file = &coordinator->files->list[i];
                struct task task = {.file = i, .range = file->range};

                if (file->state != FILE_LOADED || file->worker != VICTIM)
                        continue;
                task.size = (uint64_t)file->info.st_size;
                file->worker = next;
                if (plumbing_write(coordinator->plumbing->tasks[next][1], &task, sizeof(task)) <= 0)
                        return fail(coordinator, "a worker is gone", -EPIPE);
                count++;
                bytes += task.size;
                next = next + 1 < coordinator->plumbing->workers ? next + 1 : VICTIM + 1;
        }
        printf("Given to the other workers, from the first byte: %u files, %s.\n", count,
                report_bytes(bytes));
        return 0;
}

static int see_workers_off(struct coordinator *coordinator)
{
        while (coordinator->done < coordinator->loaded) {
                int r = take_one(coordinator);

                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; i < coordinator->plumbing->workers; i++)
                plumbing_close(&coordinator->plumbing->tasks[i][1]);
        for (unsigned i = 0; i < coordinator->plumbing->workers; i++)
                if (coordinator->workers[i] && reap(&coordinator->workers[i]) != 0)
                        return fail(coordinator, "a worker failed", -EIO);
        printf("All %u files are done: %s at %s for each worker.\n", coordinator->loaded,
                report_bytes(coordinator->bytes),
                report_rate(coordinator->bytes, coordinator->computed));
        return 0;
}

static int compare(struct coordinator *coordinator)
{
        struct comparison comparison;
        int r = compare_all(coordinator->files, &comparison);

        if (r < 0)
                return r;
        if (comparison.different) {
                fprintf(stderr, "filemem-cksum: %u checksums differ from those of cksum\n",
                        comparison.different);
                return -EIO;
        }
        printf("All %u checksums equal those of cksum.\n", comparison.equal);
        return 0;
}

/* The daemon gives memory back behind our back. Waits until it is through. */
static int release(struct coordinator *coordinator)
{
        uint64_t deadline = report_now() + SETTLE_TIMEOUT, allocated = 0;
        struct filemem_usage usage;
        int r;

        for (unsigned i = 0; i < coordinator->files->count; i++) {
                const struct file *file = &coordinator->files->list[i];

                r = file->has_range ? filemem_decref(coordinator->session, file->range) : 0;
                if (r < 0)
                        return fail(coordinator, "cannot release", r);
        }
        do {
                poll(NULL, 0, 10);
                r = filemem_update_usage(coordinator->session, &usage);
                if (r < 0)
                        return fail(coordinator, "cannot ask for the usage", r);
        } while (usage.reclaimable && report_now() < deadline);
        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                allocated += usage.allocated[kind];
        printf("Released everything: %s are allocated in the pool and %s committed.\n",
                report_bytes(allocated), report_bytes(usage.total));
        return 0;
}

static int stage(const struct coordinator *coordinator, const char *name)
{
        return stage_run(coordinator->options->at_stage, name);
}

int coordinator_open(struct coordinator *coordinator)
{
        const struct filemem_options how = {.size = sizeof(how), .label = "cksum coordinator"};
        int r;

        if (coordinator->session)
                return 0;
        r = filemem_open(coordinator->options->socket, &how, &coordinator->session);
        if (r < 0)
                fprintf(stderr, "filemem-cksum: %s\n", filemem_open_error());
        return r;
}

static int work(struct coordinator *coordinator)
{
        int r = coordinator_open(coordinator);

        if (r < 0)
                return r;
        if ((r = see_loader_off(coordinator)) < 0 || (r = kill_victim(coordinator)) < 0 ||
                (r = stage(coordinator, "during")) < 0 || (r = redo(coordinator)) < 0 ||
                (r = see_workers_off(coordinator)) < 0 || (r = compare(coordinator)) < 0 ||
                (r = release(coordinator)) < 0)
                return r;
        return stage(coordinator, "after");
}

/* Whatever went wrong, nobody is left. */
static void end_children(struct coordinator *coordinator)
{
        pid_t *children[WORKERS_MAX + 1] = {&coordinator->loader};

        for (unsigned i = 0; i < WORKERS_MAX; i++)
                children[i + 1] = &coordinator->workers[i];
        for (unsigned i = 0; i < WORKERS_MAX + 1; i++) {
                if (*children[i] <= 0)
                        continue;
                kill(*children[i], SIGKILL);
                reap(children[i]);
        }
}

int coordinator_run(struct coordinator *coordinator)
{
        int r = work(coordinator);

        end_children(coordinator);
        filemem_close(coordinator->session);
        return r < 0 ? 1 : 0;
}
