// SPDX-License-Identifier: Apache-2.0
#include "filemem/statistics.h"

#include "call.h"
#include "proto/page.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * A daemon that was killed could not say that its page has ended. One that has not written for so
 * long is taken to be gone: if it was only busy or stopped, asking again finds it.
 */
#define SILENCE_MAX UINT64_C(3000000000)

struct filemem_statistics {
        const struct page_header *page;
        size_t size;
        _Atomic uint64_t beats;   /* when it was looked at last */
        _Atomic uint64_t seen_at; /* when they were seen to be more */
};

static uint64_t get_time(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int map_page(filemem_session *session, int fd, filemem_statistics *statistics)
{
        struct stat info;
        void *memory;

        if (fstat(fd, &info) < 0)
                return text_set(session, -errno, "the statistics cannot be looked at");
        statistics->size = (size_t)info.st_size;
        memory = mmap(NULL, statistics->size, PROT_READ, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                return text_set(session, -errno, "the statistics cannot be mapped");
        if (!page_is_valid(memory, statistics->size)) {
                munmap(memory, statistics->size);
                return text_set(session, -EPROTO, "the daemon's statistics make no sense");
        }
        statistics->page = memory;
        return 0;
}

/* Returns the descriptor that the daemon sends. */
static int ask(filemem_session *session)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Statistics question = FILEMEM__STATISTICS__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        operation.body_case = FILEMEM__OPERATION__BODY_STATISTICS;
        operation.statistics = &question;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_STATISTICS, &exchange, &result);
        if (r < 0)
                return r;
        r = exchange->message->fd;
        exchange->message->fd = -1;
        if (r < 0)
                r = text_set(session, -EMFILE, "this process has no descriptor left");
        call_end(session, exchange);
        return r;
}

int filemem_statistics_open(filemem_session *session, filemem_statistics **ret)
{
        filemem_statistics *statistics;
        int fd, r;

        if (!session || !ret)
                return -EINVAL;
        fd = ask(session);
        if (fd < 0)
                return fd;
        statistics = calloc(1, sizeof(*statistics));
        r = statistics ? map_page(session, fd, statistics)
                       : text_set(session, -ENOMEM, "this process is out of memory");
        close(fd);
        if (r < 0) {
                free(statistics);
                return r;
        }
        atomic_store(&statistics->seen_at, get_time());
        *ret = statistics;
        return 0;
}

filemem_statistics *filemem_statistics_close(filemem_statistics *statistics)
{
        if (!statistics)
                return NULL;
        munmap((void *)(uintptr_t)statistics->page, statistics->size);
        free(statistics);
        return NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Whether somebody writes the page still, as far as can be known. */
static bool is_alive(filemem_statistics *statistics)
{
        const struct page_header *page = statistics->page;
        uint64_t beats = atomic_load_explicit(&page->beats, memory_order_acquire);
        uint64_t now = get_time();

        if (atomic_load_explicit(&page->ended, memory_order_acquire))
                return false;
        if (beats != atomic_load(&statistics->beats)) {
                atomic_store(&statistics->beats, beats);
                atomic_store(&statistics->seen_at, now);
        }
        return now - atomic_load(&statistics->seen_at) < SILENCE_MAX;
}

/*
 * The next record from *place on, as in sized.h; known: the size of ours, of which nothing is
 * padding, and which the caller's has to have at least.
 */
static int read_next(const filemem_statistics *statistics, enum page_section_id section,
        size_t *place, void *ret, size_t size, size_t known)
{
        if (!statistics || !place || !ret || size < known)
                return -EINVAL;
        if (!is_alive((filemem_statistics *)(uintptr_t)statistics))
                return -ESTALE;
        for (; *place < page_used(statistics->page, section); ++*place) {
                int r = page_read(statistics->page, section, *place, ret, known);

                if (r < 0)
                        return -ESTALE;
                if (r == 0)
                        continue;
                memset((unsigned char *)ret + known, 0, size - known);
                ++*place;
                return 1;
        }
        return 0;
}

/* Texts end, whatever the page has. */
#define END(text) ((text)[sizeof(text) - 1] = '\0')

int filemem_statistics_totals_sized(
        const filemem_statistics *statistics, struct filemem_statistics_totals *ret, size_t size)
{
        size_t place = 0;
        int r = read_next(statistics, PAGE_TOTALS, &place, ret, size, sizeof(*ret));

        if (r < 0)
                return r;
        if (!r)
                return -ESTALE;
        END(ret->version);
        END(ret->accounting);
        return 0;
}

int filemem_statistics_next_pool_sized(const filemem_statistics *statistics, size_t *place,
        struct filemem_statistics_pool *ret, size_t size)
{
        int r = read_next(statistics, PAGE_POOLS, place, ret, size, sizeof(*ret));

        if (r > 0)
                END(ret->name);
        return r;
}

int filemem_statistics_next_session_sized(const filemem_statistics *statistics, size_t *place,
        struct filemem_statistics_session *ret, size_t size)
{
        int r = read_next(statistics, PAGE_SESSIONS, place, ret, size, sizeof(*ret));

        if (r > 0) {
                END(ret->pool_name);
                END(ret->label);
        }
        return r;
}

int filemem_statistics_next_user_sized(const filemem_statistics *statistics, size_t *place,
        struct filemem_statistics_user *ret, size_t size)
{
        return read_next(statistics, PAGE_USERS, place, ret, size, sizeof(*ret));
}

int filemem_statistics_next_durations_sized(const filemem_statistics *statistics, size_t *place,
        struct filemem_statistics_durations *ret, size_t size)
{
        int r = read_next(statistics, PAGE_DURATIONS, place, ret, size, sizeof(*ret));

        if (r > 0)
                END(ret->name);
        return r;
}

int filemem_statistics_next_refusal_sized(const filemem_statistics *statistics, size_t *place,
        struct filemem_statistics_refusal *ret, size_t size)
{
        int r = read_next(statistics, PAGE_REFUSALS, place, ret, size, sizeof(*ret));

        if (r > 0)
                END(ret->name);
        return r;
}

/* ---- durations ------------------------------------------------------------------------------- */

/* Four buckets of 64 ns, then four between any two powers of two. */
uint64_t filemem_statistics_bucket_limit(size_t bucket)
{
        size_t exponent, part;

        if (bucket < 4)
                return (bucket + 1) * 64;
        if (bucket >= FILEMEM_STATISTICS_BUCKETS - 1)
                return UINT64_MAX;
        exponent = 8 + (bucket - 4) / 4;
        part = (bucket - 4) % 4;
        return (uint64_t)(5 + part) << (exponent - 2);
}

uint64_t filemem_statistics_quantile(
        const struct filemem_statistics_durations *durations, double part)
{
        uint64_t below = 0;

        if (!durations || !durations->count)
                return 0;
        for (size_t i = 0; i < FILEMEM_STATISTICS_BUCKETS; i++) {
                below += durations->buckets[i];
                if (below && (double)below >= part * (double)durations->count)
                        return filemem_statistics_bucket_limit(i);
        }
        return filemem_statistics_bucket_limit(FILEMEM_STATISTICS_BUCKETS - 1);
}
