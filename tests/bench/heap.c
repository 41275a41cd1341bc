// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/prng.h"
#include "bench/service.h"
#include "filemem/heap.h"
#include "heap/jemalloc.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Scenario 13: one of many objects is freed and another one allocated, over and over, their sizes
 * spread evenly over powers of two. The floor is an arena of the same jemalloc with its own hooks
 * and a cache of its own; `malloc_ns` is what the C library takes, for orientation.
 */
struct mix {
        const char *name;
        unsigned lg_min; /* the smallest has 2^lg_min bytes */
        unsigned lg_span;
        uint64_t live;
        bool touch; /* one byte in each page */
};

static const struct mix mixes[] = {
        {"16_to_1K", 4, 6, 10000, false},
        {"16_to_16K", 4, 10, 10000, false},
        {"16_to_16K_touched", 4, 10, 10000, true},
        {"16K_to_1M", 14, 6, 200, false},
        {"16K_to_1M_touched", 14, 6, 200, true},
};

/* Whose memory it is. */
struct source {
        void *(*get)(struct source *source, size_t size);
        void (*put)(struct source *source, void *object);
        filemem_heap *heap;
        int flags;
};

static void *heap_get(struct source *source, size_t size)
{
        return filemem_heap_alloc(source->heap, size);
}

static void heap_put(struct source *source, void *object)
{
        filemem_heap_free(source->heap, object);
}

static void *floor_get(struct source *source, size_t size)
{
        return filemem_je_mallocx(size, source->flags);
}

static void floor_put(struct source *source, void *object)
{
        filemem_je_dallocx(object, source->flags);
}

static void *libc_get(struct source *source, size_t size)
{
        (void)source;
        return malloc(size);
}

static void libc_put(struct source *source, void *object)
{
        (void)source;
        free(object);
}

/* ---- one run --------------------------------------------------------------------------------- */

static size_t draw_size(struct prng *prng, const struct mix *mix)
{
        uint64_t random = prng_next(prng);
        uint64_t least = UINT64_C(1) << (mix->lg_min + (random >> 32) % mix->lg_span);

        return (size_t)(least + (random & (least - 1)));
}

static bool fill_slot(struct source *source, void **slot, size_t size, bool touch)
{
        volatile unsigned char *bytes = source->get(source, size);

        *slot = (void *)(uintptr_t)bytes;
        if (!bytes)
                return false;
        for (size_t i = 0; touch && i < size; i += 4096)
                bytes[i] = 1;
        return true;
}

/* *ret: nanoseconds for one step. */
static int play(
        struct source *source, const struct mix *mix, void **slots, uint64_t steps, double *ret)
{
        struct prng prng = PRNG_START;
        bool full = false;
        uint64_t start;

        for (uint64_t i = 0; i < mix->live; i++)
                full |= !fill_slot(source, &slots[i], draw_size(&prng, mix), mix->touch);
        start = clock_now();
        for (uint64_t i = 0; i < steps && !full; i++) {
                void **slot = &slots[prng_next(&prng) % mix->live];

                source->put(source, *slot);
                full |= !fill_slot(source, slot, draw_size(&prng, mix), mix->touch);
        }
        *ret = (double)(clock_now() - start) / (double)steps;
        for (uint64_t i = 0; i < mix->live; i++)
                if (slots[i])
                        source->put(source, slots[i]);
        return full ? -ENOMEM : 0;
}

/* They take turns in short runs, so that what disturbs one disturbs the others. */
static int compare(struct report *report, const struct mix *mix, struct source *sources,
        uint64_t steps, bool quick)
{
        const char *const names[] = {"ns_per_op", "floor_ns", "malloc_ns"};
        enum { ROUNDS = 5 };
        double least[3];
        void **slots = calloc(mix->live, sizeof(*slots));
        int r = slots ? 0 : -ENOMEM;

        for (int round = 0; round < (quick ? 1 : ROUNDS); round++)
                for (size_t i = 0; i < 3 && r == 0; i++) {
                        double time = 0;

                        r = play(&sources[i], mix, slots, steps, &time);
                        if (round == 0 || time < least[i])
                                least[i] = time;
                }
        free(slots);
        for (size_t i = 0; i < 3 && r == 0; i++)
                report_add(report_row(report, mix->name, steps), names[i], least[i]);
        return r;
}

/* ---- the sources ----------------------------------------------------------------------------- */

static int make_floor(unsigned *ret_arena, unsigned *ret_cache, int *ret_flags)
{
        size_t size = sizeof(unsigned);

        if (filemem_je_mallctl("arenas.create", ret_arena, &size, NULL, 0))
                return -ENOMEM;
        if (filemem_je_mallctl("tcache.create", ret_cache, &size, NULL, 0))
                return -ENOMEM;
        *ret_flags = MALLOCX_ARENA(*ret_arena) | MALLOCX_TCACHE(*ret_cache);
        return 0;
}

static int run_with(filemem_heap *heap, const struct scenario_sizes *sizes, struct report *report)
{
        uint64_t steps = sizes->n ? sizes->n : sizes->quick ? 2000 : 200000;
        struct source sources[] = {
                {.get = heap_get, .put = heap_put, .heap = heap},
                {.get = floor_get, .put = floor_put},
                {.get = libc_get, .put = libc_put},
        };
        unsigned arena, cache;
        int r = make_floor(&arena, &cache, &sources[1].flags);

        for (size_t i = 0; i < sizeof(mixes) / sizeof(*mixes) && r == 0; i++)
                r = compare(report, &mixes[i], sources, mixes[i].live < 1000 ? steps / 10 : steps,
                        sizes->quick);
        if (r == 0)
                (void)filemem_je_mallctl("tcache.destroy", NULL, NULL, &cache, sizeof(cache));
        return r;
}

int heap_run(const struct scenario_sizes *sizes, struct report *report)
{
        filemem_session *session;
        struct service service;
        filemem_heap *heap;
        int r = service_start(&service, NULL);

        if (r < 0)
                return r;
        r = filemem_open(service.socket, NULL, &session);
        if (r == 0) {
                r = filemem_heap_create(session, FILEMEM_ANONYMOUS, NULL, &heap);
                if (r == 0) {
                        r = run_with(heap, sizes, report);
                        filemem_heap_destroy(heap);
                }
                filemem_close(session);
        }
        service_stop(&service);
        return r;
}
