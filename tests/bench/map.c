// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/service.h"

#include <errno.h>
#include <filemem/filemem.h>
#include <sys/mman.h>

/* Scenario 12. No message is sent: the daemon is only there to have a pool. */

#define CONFIG "[pool default]\ncapacity = 64G\n"
#define CHUNK  (UINT64_C(16) << 20)
#define PAGE   UINT64_C(4096)
#define MAPPED 64u /* chunks, and a power of two */
#define TRIES  10

/* Addresses of pages here and there in mapped chunks. The best of some tries. */
static int find_addresses(filemem_session *session, uint64_t n, double *ret)
{
        uint64_t best = UINT64_MAX, sum = 0;

        for (unsigned i = 0; i < TRIES; i++) {
                uint64_t start = clock_now(), time;

                for (uint64_t k = 0; k < n; k++) {
                        uint64_t at = (k * 7919 % (MAPPED * CHUNK / PAGE)) * PAGE;
                        void *address;

                        if (filemem_map(session, (struct filemem_range){at, at + PAGE},
                                    PROT_READ | PROT_WRITE, &address) < 0)
                                return -EBADMSG;
                        sum += (uintptr_t)address;
                }
                time = clock_now() - start;
                best = time < best ? time : best;
        }
        *ret = (double)best / (double)n;
        return sum ? 0 : -EBADMSG;
}

/* Each chunk for the first time. */
static int map_chunks(filemem_session *session, uint64_t count, double *ret)
{
        uint64_t start = clock_now();

        for (uint64_t i = 0; i < count; i++) {
                void *address;
                int r = filemem_map(session, (struct filemem_range){i * CHUNK, i * CHUNK + PAGE},
                        PROT_READ | PROT_WRITE, &address);

                if (r < 0)
                        return r;
        }
        *ret = (double)(clock_now() - start) / (double)count;
        return 0;
}

/* The same by the kernel alone: over a reservation, as the library does. */
static int map_directly(int fd, uint64_t count, double *ret)
{
        uint8_t *window = mmap(
                NULL, count * CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        uint64_t start = clock_now();
        int r = 0;

        if (window == MAP_FAILED)
                return -errno;
        for (uint64_t i = 0; r == 0 && i < count; i++)
                if (mmap(window + i * CHUNK, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                            fd, (off_t)(i * CHUNK)) == MAP_FAILED)
                        r = -errno;
        *ret = (double)(clock_now() - start) / (double)count;
        munmap(window, count * CHUNK);
        return r;
}

static int measure(struct report *report, filemem_session *session, uint64_t n, uint64_t chunks)
{
        double first = 0, floor = 0, address = 0;
        struct report_row *row;
        int r = map_chunks(session, chunks, &first);

        if (r == 0)
                r = map_directly(filemem_fd(session), chunks, &floor);
        if (r == 0)
                r = find_addresses(session, n, &address);
        if (r < 0)
                return r;
        row = report_row(report, "first_touch", chunks);
        report_add(row, "ns_per_op", first);
        report_add(row, "floor_ns", floor);
        row = report_row(report, "mapped", n);
        report_add(row, "ns_per_op", address);
        return 0;
}

int map_run(const struct scenario_sizes *sizes, struct report *report)
{
        uint64_t n = sizes->n ? sizes->n : sizes->quick ? 1000 : 1000000;
        uint64_t chunks = sizes->quick ? MAPPED : 2048;
        filemem_session *session;
        struct service service;
        int r = service_start(&service, CONFIG);

        if (r < 0)
                return r;
        r = filemem_open(service.socket, NULL, &session);
        if (r == 0) {
                r = measure(report, session, n, chunks);
                filemem_close(session);
        }
        service_stop(&service);
        return r;
}
