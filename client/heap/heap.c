// SPDX-License-Identifier: Apache-2.0
#include "heap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/*
 * How our jemalloc starts, before $MALLOC_CONF: one arena of its own, for its records, and no cache
 * for it in every thread.
 */
extern const char *filemem_je_malloc_conf;
const char *filemem_je_malloc_conf = "narenas:1,tcache:false,dss:disabled";

/*
 * jemalloc 5.3.0 has the option and no way to set it. Without it large objects begin somewhere in a
 * page and take one page more; here they are to have pages to themselves.
 */
static pthread_once_t settled = PTHREAD_ONCE_INIT;

static void settle(void)
{
        filemem_je_je_opt_cache_oblivious = false;
}

/* Ranges grow with the heap, up to this at a time: what is not needed yet is held in vain. */
#define GROWTH_MAX ((size_t)64 << 20)

#define DECAY_DEFAULT 10000 /* ms, as jemalloc's */

void heap_end(filemem_heap *heap, int error)
{
        int live = HEAP_LIVE;

        atomic_compare_exchange_strong(&heap->state, &live, error);
}

/* ---- what jemalloc is told about an arena ---------------------------------------------------- */

static int control(const filemem_heap *heap, const char *what, void *old, size_t *old_size,
        void *value, size_t size)
{
        char name[64];

        snprintf(name, sizeof(name), "arena.%u.%s", heap->arena, what);
        return -filemem_je_mallctl(name, old, old_size, value, size);
}

static int make_arena(filemem_heap *heap)
{
        struct jemalloc_arena_config config = {.extent_hooks = &heap->hooks};
        size_t size = sizeof(heap->arena);
        int r;

        hooks_init(&heap->hooks);
        r = filemem_je_mallctl(
                "experimental.arenas_create_ext", &heap->arena, &size, &config, sizeof(config));
        /* EAGAIN is what it says without memory. */
        return r == EAGAIN ? -ENOMEM : -r;
}

static int configure(filemem_heap *heap, int64_t decay_ms)
{
        size_t growth = GROWTH_MAX;
        ssize_t dirty = DECAY_DEFAULT, muzzy = 0;
        int r;

        if (decay_ms == FILEMEM_HEAP_AT_ONCE)
                dirty = 0;
        else if (decay_ms)
                dirty = (ssize_t)decay_ms;
        r = control(heap, "muzzy_decay_ms", NULL, NULL, &muzzy, sizeof(muzzy));
        if (r == 0)
                r = control(heap, "dirty_decay_ms", NULL, NULL, &dirty, sizeof(dirty));
        if (r == 0)
                r = control(heap, "retain_grow_limit", NULL, NULL, &growth, sizeof(growth));
        return r == -EFAULT ? -EINVAL : r;
}

/* ---- create ---------------------------------------------------------------------------------- */

/* Later versions of the structure are larger. *ret is one of ours. */
static int take_options(
        const struct filemem_heap_options *options, struct filemem_heap_options *ret)
{
        *ret = (struct filemem_heap_options){.size = sizeof(*ret)};
        if (!options)
                return 0;
        if (options->size < sizeof(*ret))
                return -EINVAL;
        memcpy(ret, options, sizeof(*ret));
        return ret->decay_ms < FILEMEM_HEAP_AT_ONCE ? -EINVAL : 0;
}

/* Where the pool is in this process. A range of it is never in two places: there is a window. */
static int find_base(filemem_heap *heap)
{
        struct filemem_range first = {0, heap->page_size}, all = {0, heap->capacity};
        void *base;
        int r = filemem_map_blocks(heap->session, all, PROT_READ | PROT_WRITE, NULL, 0);

        if (r < 0)
                return r;
        if (r > 1)
                return -ERANGE;
        r = filemem_map(heap->session, first, PROT_READ | PROT_WRITE, &base);
        if (r == 0)
                heap->base = base;
        return r;
}

/* An empty range of addresses is enough to be told that there is no such advice. */
static int check_populate(void)
{
        return madvise(NULL, 0, MADV_POPULATE_WRITE) < 0 ? -ENOSYS : 0;
}

static int prepare(filemem_heap *heap, const struct filemem_heap_options *options)
{
        int r;

        heap->page_size = filemem_page_size(heap->session);
        heap->capacity = filemem_capacity(heap->session);
        heap->populate = options->populate;
        heap->keep_ranges = options->keep_ranges;
        heap->lost_before = filemem_lost_errors(heap->session, NULL, NULL, 0);
        r = options->populate ? check_populate() : 0;
        return r < 0 ? r : find_base(heap);
}

static int start(filemem_heap *heap, int64_t decay_ms)
{
        int r = make_arena(heap);

        if (r < 0)
                return r;
        heap->flags = MALLOCX_ARENA(heap->arena);
        r = configure(heap, decay_ms);
        if (r == 0)
                r = cache_register(heap);
        if (r < 0)
                (void)control(heap, "destroy", NULL, NULL, NULL, 0);
        return r;
}

static filemem_heap *make(void)
{
        filemem_heap *heap = mmap(
                NULL, sizeof(*heap), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (heap == MAP_FAILED)
                return NULL;
        if (madvise(heap, sizeof(*heap), MADV_WIPEONFORK) < 0) {
                munmap(heap, sizeof(*heap));
                return NULL;
        }
        atomic_store(&heap->state, HEAP_LIVE);
        return heap;
}

int filemem_heap_create(filemem_session *session, enum filemem_kind kind,
        const struct filemem_heap_options *options, filemem_heap **ret)
{
        struct filemem_heap_options known;
        filemem_heap *heap;
        int r;

        if (!session || !ret || (unsigned)kind >= FILEMEM_KINDS)
                return -EINVAL;
        r = take_options(options, &known);
        if (r == 0)
                r = filemem_fd(session);
        if (r < 0)
                return r;
        pthread_once(&settled, settle);
        heap = make();
        if (!heap)
                return -ENOMEM;
        heap->session = session;
        heap->kind = kind;
        r = prepare(heap, &known);
        if (r == 0)
                r = start(heap, known.decay_ms);
        if (r < 0) {
                munmap(heap, sizeof(*heap));
                return r;
        }
        *ret = heap;
        return 0;
}

/* A child has nothing but the zeroed handle to free: jemalloc's records of the heap stay. */
filemem_heap *filemem_heap_destroy(filemem_heap *heap)
{
        int saved = errno;

        if (!heap)
                return NULL;
        if (!heap_is_child(heap)) {
                cache_unregister(heap);
                heap->keep_ranges = false;
                (void)control(heap, "destroy", NULL, NULL, NULL, 0);
        }
        munmap(heap, sizeof(*heap));
        errno = saved;
        return NULL;
}

/* ---- purge and usage ------------------------------------------------------------------------- */

int filemem_heap_purge(filemem_heap *heap)
{
        int state;

        if (!heap)
                return -EINVAL;
        if (heap_is_child(heap))
                return -ECHILD;
        cache_flush(heap);
        (void)control(heap, "purge", NULL, NULL, NULL, 0);
        state = atomic_load(&heap->state);
        return state < 0 ? state : 0;
}

static size_t read_number(const filemem_heap *heap, const char *what)
{
        char name[64];
        size_t number = 0, size = sizeof(number);

        snprintf(name, sizeof(name), "stats.arenas.%u.%s", heap->arena, what);
        return filemem_je_mallctl(name, &number, &size, NULL, 0) == 0 ? number : 0;
}

int filemem_heap_usage_sized(filemem_heap *heap, struct filemem_heap_usage *ret, size_t size)
{
        size_t page = 0, page_size = sizeof(page);
        uint64_t epoch = 1;

        if (!heap || !ret || size < sizeof(*ret))
                return -EINVAL;
        if (heap_is_child(heap))
                return -ECHILD;
        (void)filemem_je_mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
        (void)filemem_je_mallctl("arenas.page", &page, &page_size, NULL, 0);
        /* For one that is larger than ours. */
        memset(ret, 0, size);
        *ret = (struct filemem_heap_usage){
                .held = atomic_load(&heap->held),
                .objects =
                        read_number(heap, "small.allocated") + read_number(heap, "large.allocated"),
                .unused = read_number(heap, "pdirty") * page,
        };
        return 0;
}
