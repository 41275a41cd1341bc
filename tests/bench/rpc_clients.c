// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/service.h"
#include "bench/statistics.h"

#include <errno.h>
#include <filemem/filemem.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Scenario 9. Sessions that do nothing are sockets that have said Hello, all peers of ours, which
 * take one descriptor each; a few are busy, each with a thread. What a session costs the daemon is
 * what its memory grows by.
 */
#define BUSY_MAX 8u
#define PAGE     UINT64_C(4096)
#define CONFIG                                                                                     \
        "[pool default]\ncapacity = 64G\n"                                                         \
        "[limits]\nuser_sessions = none\ntotal_sessions = none\nuser_peers = none\n"               \
        "session_peers = none\n"

struct crowd {
        struct service service;
        filemem_session *opener;
        int *fds;
        uint64_t count;
        uint64_t memory; /* bytes of the daemon before they came */
};

static int greet(int fd)
{
        static const char hello[] = "\x0a\x02\x08\x01";
        char welcome[256];

        if (send(fd, hello, 4, MSG_NOSIGNAL) != 4 || recv(fd, welcome, sizeof(welcome), 0) <= 0)
                return -EPIPE;
        return welcome[0] == 0x0a ? 0 : -EPROTO; /* ToClient.welcome */
}

static int crowd_grow(struct crowd *crowd, uint64_t count)
{
        while (crowd->count < count) {
                int r = filemem_open_peer(crowd->opener, NULL, &crowd->fds[crowd->count]);

                if (r < 0)
                        return r;
                r = greet(crowd->fds[crowd->count++]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void crowd_close(struct crowd *crowd)
{
        for (uint64_t i = 0; i < crowd->count; i++)
                close(crowd->fds[i]);
        filemem_close(crowd->opener);
        free(crowd->fds);
        service_stop(&crowd->service);
}

static int crowd_open(struct crowd *crowd, uint64_t count)
{
        struct rlimit limit;
        int r;

        /* The daemon inherits it. */
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        *crowd = (struct crowd){.fds = calloc(count, sizeof(int))};
        if (!crowd->fds)
                return -ENOMEM;
        r = service_start(&crowd->service, CONFIG);
        if (r < 0) {
                free(crowd->fds);
                return r;
        }
        r = filemem_open(crowd->service.socket, NULL, &crowd->opener);
        if (r < 0)
                crowd_close(crowd);
        else
                crowd->memory = service_memory(&crowd->service, "VmRSS");
        return r;
}

/* ---- those that are busy -----------------------------------------------------------------------
 */

struct worker {
        pthread_t thread;
        filemem_session *session;
        uint32_t *times;
        uint64_t count;
        int error;
};

static void *work(void *argument)
{
        struct worker *worker = argument;

        for (uint64_t i = 0; i < worker->count; i++) {
                uint64_t start = clock_now();
                struct filemem_range range;

                worker->error = filemem_allocate(worker->session, PAGE, FILEMEM_ANONYMOUS, &range);
                worker->times[i] = statistics_time(start, clock_now());
                if (worker->error == 0)
                        worker->error = filemem_release(worker->session, range);
                if (worker->error < 0)
                        break;
        }
        return NULL;
}

/* Each has its part of `times`. *ret: nanoseconds in all. */
static int work_all(struct worker *workers, unsigned count, uint64_t *ret)
{
        uint64_t start = clock_now();
        unsigned started = 0;
        int r = 0;

        while (started < count && r == 0) {
                r = -pthread_create(&workers[started].thread, NULL, work, &workers[started]);
                started += r == 0;
        }
        for (unsigned i = 0; i < started; i++) {
                pthread_join(workers[i].thread, NULL);
                r = r ? r : workers[i].error;
        }
        *ret = clock_now() - start;
        return r;
}

static int measure(struct crowd *crowd, unsigned busy, uint32_t *times, uint64_t n, uint64_t *ret)
{
        struct worker workers[BUSY_MAX] = {0};
        int r = 0;

        for (unsigned i = 0; r == 0 && i < busy; i++) {
                workers[i].times = times + i * (n / busy);
                workers[i].count = n / busy;
                r = filemem_open(crowd->service.socket, NULL, &workers[i].session);
        }
        if (r == 0)
                r = work_all(workers, busy, ret);
        for (unsigned i = 0; i < busy; i++)
                filemem_close(workers[i].session);
        return r;
}

/* count: sessions in all. *single: the throughput of one, known or to be. */
static int run(
        struct report *report, struct crowd *crowd, uint64_t count, uint64_t n, double *single)
{
        unsigned busy = count < BUSY_MAX ? (unsigned)count : BUSY_MAX;
        uint32_t *times = calloc(n, sizeof(*times));
        struct report_row *row;
        uint64_t time = 0;
        double speed;
        int r = times ? crowd_grow(crowd, count - busy) : -ENOMEM;

        n = n / busy * busy;
        if (r == 0)
                r = measure(crowd, busy, times, n, &time);
        if (r == 0) {
                speed = (double)n / (double)time;
                *single = *single > 0 ? *single : speed;
                row = report_row(report, "clients", count);
                report_add(row, "ns_per_op", (double)time / (double)n);
                report_add(row, "p50_ns", statistics_percentile(times, n, 50));
                report_add(row, "p99_ns", statistics_percentile(times, n, 99));
                report_add(row, "of_one", speed / *single);
                if (crowd->count)
                        report_add(row, "bytes_per_session",
                                (double)(service_memory(&crowd->service, "VmRSS") - crowd->memory) /
                                        (double)crowd->count);
        }
        free(times);
        return r;
}

int rpc_clients_run(const struct scenario_sizes *sizes, struct report *report)
{
        uint64_t most = sizes->quick ? 100 : 10000, n = sizes->n ? sizes->n : 20000;
        struct crowd crowd;
        double single = 0;
        int r = crowd_open(&crowd, most);

        if (r < 0)
                return r;
        if (sizes->quick)
                n = 200;
        for (uint64_t count = 1; r == 0 && count <= most; count *= 10)
                r = run(report, &crowd, count, n < BUSY_MAX ? BUSY_MAX : n, &single);
        crowd_close(&crowd);
        return r;
}
