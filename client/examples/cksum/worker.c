// SPDX-License-Identifier: Apache-2.0
#include "cksum/worker.h"

#include "cksum/crc.h"
#include "cksum/report.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Between two slices it looks for new tasks: the loader waits for the receipts. */
#define SLICE (1u << 20)

struct worker {
        filemem_session *session;
        struct plumbing *plumbing;
        unsigned number;
        bool is_victim;
        bool stopped;
        bool no_more; /* tasks */
        struct task tasks[FILES_MAX];
        unsigned taken;
        unsigned done;
        /* the one that is worked on */
        const unsigned char *data;
        uint64_t at;
        uint32_t crc;
        uint64_t time;
};

static int fail(const struct worker *worker, const char *what, int error)
{
        const char *sentence = filemem_last_error(worker->session);

        fprintf(stderr, "filemem-cksum: worker %u: %s: %s\n", worker->number, what,
                sentence[0] ? sentence : strerror(-error));
        return error;
}

static int take_task(struct worker *worker)
{
        struct task *task = &worker->tasks[worker->taken];
        struct receipt receipt;
        int r;

        if (worker->taken == FILES_MAX)
                return fail(worker, "too many tasks", -E2BIG);
        r = plumbing_read(worker->plumbing->tasks[worker->number][0], task, sizeof(*task));
        worker->no_more = r == 0;
        if (r <= 0)
                return r;
        r = filemem_incref(worker->session, task->range);
        if (r < 0)
                return fail(worker, "cannot take a reference", r);
        receipt.file = task->file;
        if (task->receipt)
                r = plumbing_write(worker->plumbing->receipts[1], &receipt, sizeof(receipt));
        worker->taken++;
        return r < 0 ? fail(worker, "cannot tell the loader", r) : 0;
}

/* Takes what there is; waits for something if there is nothing to do. */
static int take_tasks(struct worker *worker)
{
        int fd = worker->plumbing->tasks[worker->number][0];
        struct pollfd wanted = {.fd = fd, .events = POLLIN};

        while (!worker->no_more) {
                bool idle = worker->done == worker->taken || worker->stopped;
                int r = poll(&wanted, 1, idle ? -1 : 0);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return fail(worker, "cannot wait", -errno);
                if (r == 0)
                        return 0;
                r = take_task(worker);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int tell(struct worker *worker, bool stopped)
{
        const struct task *task = &worker->tasks[worker->done];
        struct result result = {
                .file = task->file,
                .stopped = stopped,
                .crc = crc_finish(worker->crc, worker->at),
                .bytes = worker->at,
                .time = worker->time,
        };

        if (plumbing_write(worker->plumbing->results[worker->number][1], &result, sizeof(result)) <=
                0)
                return fail(worker, "the coordinator is gone", -EPIPE);
        return 0;
}

static int begin(struct worker *worker)
{
        const struct task *task = &worker->tasks[worker->done];
        void *address;
        int r = filemem_map(worker->session, task->range, PROT_READ, &address);

        if (r < 0)
                return fail(worker, "cannot map", r);
        worker->data = address;
        worker->at = 0;
        worker->crc = 0;
        worker->time = 0;
        return 0;
}

static int finish(struct worker *worker)
{
        int r = filemem_decref(worker->session, worker->tasks[worker->done].range);

        if (r < 0)
                return fail(worker, "cannot release", r);
        r = tell(worker, false);
        worker->data = NULL;
        worker->done++;
        return r;
}

/* Up to the end of the file, of the slice, or for the victim of half the file. */
static int compute_slice(struct worker *worker)
{
        uint64_t size = worker->tasks[worker->done].size;
        uint64_t end = worker->is_victim ? size / 2 : size;
        uint64_t length = end - worker->at < SLICE ? end - worker->at : SLICE;
        uint64_t start = report_now();

        worker->crc = crc_update(worker->crc, worker->data + worker->at, (size_t)length);
        worker->at += length;
        worker->time += report_now() - start;
        if (worker->at < end)
                return 0;
        if (!worker->is_victim)
                return finish(worker);
        worker->stopped = true;
        return tell(worker, true);
}

static int work(struct worker *worker)
{
        int r = 0;

        while (r == 0) {
                r = take_tasks(worker);
                if (r < 0 || worker->stopped || worker->done == worker->taken)
                        return r;
                if (!worker->data)
                        r = begin(worker);
                if (r == 0)
                        r = compute_slice(worker);
        }
        return r;
}

int worker_run(const char *socket, struct plumbing *plumbing, unsigned number, bool is_victim)
{
        const struct filemem_options how = {.size = sizeof(how), .label = "cksum worker"};
        struct worker worker = {.plumbing = plumbing, .number = number, .is_victim = is_victim};
        int r = filemem_open(socket, &how, &worker.session);

        if (r < 0) {
                fprintf(stderr, "filemem-cksum: worker %u: %s\n", number, filemem_open_error());
                return 1;
        }
        r = work(&worker);
        filemem_close(worker.session);
        return r < 0 ? 1 : 0;
}
