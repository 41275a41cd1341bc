// SPDX-License-Identifier: Apache-2.0
/* Many threads on one heap, and on many. */
#include "filemem/heap.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 16
#define OBJECTS 64

static struct daemon the_daemon;
static filemem_session *session;
static filemem_heap *heap;
static _Atomic(unsigned char *) exchange[OBJECTS];
static unsigned rounds;

static void start(void)
{
        rounds = 20000 / harness_slowness();
        daemon_start(&the_daemon, "[pool default]\ncapacity = 4G\n");
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
        ck_assert_int_eq(filemem_heap_create(session, FILEMEM_ANONYMOUS, NULL, &heap), 0);
}

static void stop(void)
{
        filemem_heap_destroy(heap);
        filemem_close(session);
        daemon_stop(&the_daemon);
}

static uint64_t draw(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Its size and a byte of it are at its beginning, the byte at its end too. */
static unsigned char *make(filemem_heap *from, uint64_t random)
{
        size_t size = 16 + (random >> 8) % ((size_t)32 << random % 11);
        unsigned char *object = filemem_heap_alloc(from, size);

        if (object) {
                memcpy(object, &size, sizeof(size));
                object[sizeof(size)] = object[size - 1] = (unsigned char)random;
        }
        return object;
}

static bool is_whole(const unsigned char *object)
{
        size_t size;

        memcpy(&size, object, sizeof(size));
        return object[sizeof(size)] == object[size - 1];
}

/* Puts objects where others take them and free them. */
static void *trade(void *argument)
{
        uint64_t state = 88172645463325252 + (uintptr_t)argument;

        for (unsigned i = 0; i < rounds; i++) {
                unsigned char *object = make(heap, draw(&state));

                if (!object)
                        return argument;
                object = atomic_exchange(&exchange[draw(&state) % OBJECTS], object);
                if (object && !is_whole(object))
                        return argument;
                filemem_heap_free(heap, object);
                if (i % 4096 == 0 && filemem_heap_purge(heap) < 0)
                        return argument;
        }
        return NULL;
}

static void run_threads(void *(*run)(void *))
{
        pthread_t threads[THREADS];

        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0);
        for (size_t i = 0; i < THREADS; i++) {
                void *failed;

                ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
                ck_assert_ptr_null(failed);
        }
}

START_TEST(objects_go_from_thread_to_thread)
{
        struct filemem_heap_usage now;

        run_threads(trade);
        for (size_t i = 0; i < OBJECTS; i++)
                filemem_heap_free(heap, atomic_exchange(&exchange[i], NULL));
        /* The caches of the threads went with them. */
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        ck_assert_int_eq(filemem_heap_usage(heap, &now), 0);
        ck_assert_uint_eq(now.objects, 0);
        ck_assert_uint_eq(now.unused, 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
}
END_TEST

/* Heaps come and go while other threads use theirs, and threads end. */
static void *have_heaps(void *argument)
{
        uint64_t state = 88172645463325252 + (uintptr_t)argument;

        for (unsigned i = 0; i < rounds / 1000 + 2; i++) {
                unsigned char *objects[OBJECTS];
                filemem_heap *mine;

                if (filemem_heap_create(session, FILEMEM_MAPPED, NULL, &mine) < 0)
                        return argument;
                for (size_t k = 0; k < OBJECTS; k++)
                        objects[k] = make(mine, draw(&state));
                for (size_t k = 0; k < OBJECTS; k++) {
                        if (!objects[k] || !is_whole(objects[k]))
                                return argument;
                        if (k % 2)
                                filemem_heap_free(mine, objects[k]);
                }
                filemem_heap_destroy(mine);
                filemem_heap_free(heap, make(heap, draw(&state)));
        }
        return NULL;
}

START_TEST(heaps_come_and_go_beside_each_other)
{
        struct filemem_usage now;

        run_threads(have_heaps);
        ck_assert_int_eq(filemem_usage(session, &now), 0);
        ck_assert_uint_eq(now.allocated[FILEMEM_MAPPED], 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("heap threads");
        TCase *tests = harness_case(suite, "Threads", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, objects_go_from_thread_to_thread);
        tcase_add_test(tests, heaps_come_and_go_beside_each_other);
        return harness_run(suite);
}
