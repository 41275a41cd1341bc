// SPDX-License-Identifier: Apache-2.0
#include "heap.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * jemalloc keeps caches for threads by itself in its own arenas only. For others it makes them when
 * told to, and gives each a number. Which one a thread uses in which heap is in an array of the
 * thread's own, so finding it takes no lock; an entry whose heap is gone has an id that is
 * nobody's.
 *
 * What is known of all heaps is in memory that a forked child finds zeroed: no heaps there, and a
 * lock that nobody holds. The child's threads may end whenever they like.
 */
#define SLOTS 64

struct registry {
        pthread_mutex_t lock;
        pthread_cond_t left; /* some heap's `leaving` is 0 */
        filemem_heap *heaps[SLOTS];
};

static _Atomic(struct registry *) the_registry;
static atomic_uint_fast64_t last_id; /* a child goes on where its parent was */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

_Thread_local struct cache_entry *cache_entries; /* SLOTS of them, or NULL */

static unsigned number_of(int flags)
{
        return ((unsigned)flags >> 8 & 0xfff) - 2;
}

static void control(const char *name, unsigned number)
{
        (void)filemem_je_mallctl(name, NULL, NULL, &number, sizeof(number));
}

static struct registry *find_registry(void)
{
        struct registry *registry = atomic_load(&the_registry), *made;

        if (registry)
                return registry;
        made = mmap(
                NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (made == MAP_FAILED)
                return NULL;
        if (madvise(made, sizeof(*made), MADV_WIPEONFORK) < 0 ||
                !atomic_compare_exchange_strong(&the_registry, &registry, made)) {
                munmap(made, sizeof(*made));
                return registry;
        }
        return made;
}

/* ---- threads that end ------------------------------------------------------------------------ */

/* Gives one cache up. Emptying it may take long, so that is done without the lock. */
static void leave(struct registry *registry, size_t slot, const struct cache_entry *entry)
{
        unsigned number = number_of(entry->flags);
        filemem_heap *heap;

        if (number >= HEAP_CACHES)
                return;
        pthread_mutex_lock(&registry->lock);
        heap = registry->heaps[slot];
        if (heap && heap->id == entry->id) {
                heap->caches[number / 64] &= ~(UINT64_C(1) << number % 64);
                heap->leaving++;
        } else {
                heap = NULL;
        }
        pthread_mutex_unlock(&registry->lock);
        if (!heap)
                return;
        control("tcache.destroy", number);
        pthread_mutex_lock(&registry->lock);
        if (--heap->leaving == 0)
                pthread_cond_broadcast(&registry->left);
        pthread_mutex_unlock(&registry->lock);
}

static void leave_all(void *mine)
{
        struct registry *registry = atomic_load(&the_registry);

        cache_entries = NULL;
        for (size_t slot = 0; slot < SLOTS; slot++)
                if (((struct cache_entry *)mine)[slot].id)
                        leave(registry, slot, &((struct cache_entry *)mine)[slot]);
        free(mine);
}

static void make_key(void)
{
        has_key = pthread_key_create(&key, leave_all) == 0;
}

/* ---- heaps ----------------------------------------------------------------------------------- */

int cache_register(filemem_heap *heap)
{
        struct registry *registry = find_registry();

        if (!registry)
                return -ENOMEM;
        pthread_once(&key_once, make_key);
        heap->id = atomic_fetch_add(&last_id, 1) + 1;
        heap->slot = HEAP_NO_SLOT;
        pthread_mutex_lock(&registry->lock);
        for (int slot = 0; has_key && slot < SLOTS && heap->slot == HEAP_NO_SLOT; slot++) {
                if (registry->heaps[slot])
                        continue;
                registry->heaps[slot] = heap;
                heap->slot = slot;
        }
        pthread_mutex_unlock(&registry->lock);
        return 0;
}

void cache_unregister(filemem_heap *heap)
{
        struct registry *registry = atomic_load(&the_registry);

        if (heap->slot == HEAP_NO_SLOT)
                return;
        pthread_mutex_lock(&registry->lock);
        registry->heaps[heap->slot] = NULL;
        while (heap->leaving)
                pthread_cond_wait(&registry->left, &registry->lock);
        pthread_mutex_unlock(&registry->lock);
        for (unsigned number = 0; number < HEAP_CACHES; number++)
                if (heap->caches[number / 64] >> number % 64 & 1)
                        control("tcache.destroy", number);
}

/* ---- threads --------------------------------------------------------------------------------- */

static struct cache_entry *make_entries(void)
{
        struct cache_entry *made = calloc(SLOTS, sizeof(*made));

        if (made && pthread_setspecific(key, made) != 0) {
                free(made);
                made = NULL;
        }
        return made;
}

int cache_attach(filemem_heap *heap)
{
        struct registry *registry = atomic_load(&the_registry);
        int flags = heap->flags | MALLOCX_TCACHE_NONE;
        unsigned number;
        size_t size = sizeof(number);

        if (heap->slot == HEAP_NO_SLOT)
                return flags;
        if (!cache_entries)
                cache_entries = make_entries();
        if (!cache_entries)
                return flags;
        if (filemem_je_mallctl("tcache.create", &number, &size, NULL, 0) == 0) {
                flags = heap->flags | MALLOCX_TCACHE(number);
                pthread_mutex_lock(&registry->lock);
                heap->caches[number / 64] |= UINT64_C(1) << number % 64;
                pthread_mutex_unlock(&registry->lock);
        }
        cache_entries[heap->slot] = (struct cache_entry){heap->id, flags};
        return flags;
}

void cache_flush(filemem_heap *heap)
{
        unsigned number;

        if (!cache_entries || heap->slot == HEAP_NO_SLOT ||
                cache_entries[heap->slot].id != heap->id)
                return;
        number = number_of(cache_entries[heap->slot].flags);
        if (number < HEAP_CACHES)
                control("tcache.flush", number);
}
