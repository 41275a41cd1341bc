// SPDX-License-Identifier: Apache-2.0
/* Heaps and other processes: objects handed over, children, a daemon that is gone. */
#include "test_heap.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT "an object that somebody else reads"

static void *get(size_t size)
{
        void *object = filemem_heap_alloc(heap, size);

        ck_assert_ptr_nonnull(object);
        return object;
}

/* Runs it in a child, which must end with 0. */
static void in_child(int (*run)(void *), void *argument)
{
        int status;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (!child)
                _exit(run(argument));
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

/* ---- places ---------------------------------------------------------------------------------- */

START_TEST(an_object_has_a_place_in_the_pool_and_the_place_is_the_object)
{
        for (size_t size = 1; size < 100 * MIB; size = size * 3 + 1) {
                unsigned char *object = get(size);
                struct filemem_object where;
                void *back;

                ck_assert_int_eq(filemem_heap_locate(heap, object, &where), 0);
                ck_assert_uint_ge(where.length, size);
                ck_assert_uint_le(where.range.start, where.offset);
                ck_assert_uint_ge(where.range.end, where.offset + where.length);
                ck_assert_uint_lt(where.offset - where.range.start, PAGE);
                ck_assert_uint_lt(where.range.end - where.offset - where.length, PAGE);
                ck_assert_int_eq(filemem_heap_address(heap, where.offset, &back), 0);
                ck_assert_ptr_eq(back, object);
                ck_assert(size < 16384 || where.offset == where.range.start);
                /* The session agrees. */
                ck_assert_int_eq(filemem_map(heap_session, where.range, PROT_READ, &back), 0);
                ck_assert_ptr_eq(
                        (unsigned char *)back + (where.offset - where.range.start), object);
        }
}
END_TEST

static int read_text(void *argument)
{
        const struct filemem_object *where = argument;
        filemem_session *mine;
        unsigned char *address;
        void *mapped;

        if (filemem_open(heap_daemon.socket, NULL, &mine) < 0)
                return 1;
        if (filemem_incref(mine, where->range) < 0)
                return 2;
        if (filemem_map(mine, where->range, PROT_READ | PROT_WRITE, &mapped) < 0)
                return 3;
        address = (unsigned char *)mapped + (where->offset - where->range.start);
        if (memcmp(address, TEXT, sizeof(TEXT)) != 0)
                return 4;
        address[0] = 'A';
        filemem_close(mine);
        return 0;
}

START_TEST(another_process_reads_and_writes_an_object)
{
        char *object = get(sizeof(TEXT));
        struct filemem_object where;

        memcpy(object, TEXT, sizeof(TEXT));
        ck_assert_int_eq(filemem_heap_locate(heap, object, &where), 0);
        in_child(read_text, &where);
        ck_assert_int_eq(object[0], 'A');
}
END_TEST

START_TEST(pages_that_others_hold_outlive_the_heap)
{
        char *object = get(sizeof(TEXT));
        filemem_session *other = heap_open();
        struct filemem_object where;
        void *mapped;

        memcpy(object, TEXT, sizeof(TEXT));
        ck_assert_int_eq(filemem_heap_locate(heap, object, &where), 0);
        ck_assert_int_eq(filemem_incref(other, where.range), 0);
        heap = filemem_heap_destroy(heap);
        heap_await(where.range.end - where.range.start, PAGE);
        ck_assert_int_eq(filemem_map(other, where.range, PROT_READ, &mapped), 0);
        ck_assert_str_eq((char *)mapped + (where.offset - where.range.start), TEXT);
        filemem_close(other);
        heap_await(0, 0);
}
END_TEST

START_TEST(pages_that_others_hold_are_not_decommitted)
{
        const struct filemem_heap_options options = {.size = sizeof(options), .keep_ranges = true};
        filemem_session *other = heap_open();
        struct filemem_object where;
        char *object;
        void *mapped;

        heap_replace(&options);
        object = get(MIB);
        memcpy(object, TEXT, sizeof(TEXT));
        ck_assert_int_eq(filemem_heap_locate(heap, object, &where), 0);
        ck_assert_int_eq(filemem_incref(other, where.range), 0);
        filemem_heap_free(heap, object);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        ck_assert_int_eq(filemem_map(other, where.range, PROT_READ, &mapped), 0);
        ck_assert_str_eq((char *)mapped + (where.offset - where.range.start), TEXT);
        filemem_close(other);
}
END_TEST

/* ---- fork ------------------------------------------------------------------------------------ */

static void *allocate_nothing(void *argument)
{
        (void)argument;
        return filemem_heap_alloc(heap, 1);
}

static int be_a_child(void *argument)
{
        struct filemem_heap_usage usage;
        struct filemem_object where;
        pthread_t thread;
        void *got;

        errno = 0;
        if (filemem_heap_alloc(heap, 10) || errno != ECHILD)
                return 1;
        if (filemem_heap_realloc(heap, argument, 10000) || errno != ECHILD)
                return 2;
        filemem_heap_free(heap, argument);
        if (filemem_heap_locate(heap, argument, &where) != -ECHILD ||
                filemem_heap_purge(heap) != -ECHILD || filemem_heap_usage(heap, &usage) != -ECHILD)
                return 3;
        if (memcmp(argument, TEXT, sizeof(TEXT)) != 0)
                return 4;
        if (pthread_create(&thread, NULL, allocate_nothing, NULL) || pthread_join(thread, &got) ||
                got)
                return 5;
        filemem_heap_destroy(heap);
        filemem_close(heap_session);
        return 0;
}

/* A child with a session and a heap of its own, beside what it inherited. */
static int have_a_heap(void *argument)
{
        filemem_session *mine;
        filemem_heap *own;
        void *objects[100];

        if (filemem_open(heap_daemon.socket, NULL, &mine) < 0 ||
                filemem_heap_create(mine, FILEMEM_MAPPED, NULL, &own) < 0)
                return 1;
        for (size_t i = 0; i < 100; i++) {
                objects[i] = filemem_heap_alloc(own, 100 * (i + 1));
                if (!objects[i])
                        return 2;
                memset(objects[i], 0xee, 100 * (i + 1));
        }
        for (size_t i = 0; i < 100; i++)
                filemem_heap_free(own, objects[i]);
        if (memcmp(argument, TEXT, sizeof(TEXT)) != 0)
                return 3;
        filemem_heap_destroy(own);
        filemem_close(mine);
        return be_a_child(argument);
}

static void check_child(int (*run)(void *))
{
        char *object = get(sizeof(TEXT)), *freed = get(sizeof(TEXT));
        struct filemem_heap_usage before;

        memcpy(object, TEXT, sizeof(TEXT));
        filemem_heap_free(heap, freed);
        before = heap_usage_now();
        in_child(run, object);
        ck_assert_str_eq(object, TEXT);
        ck_assert_uint_eq(heap_usage_now().objects, before.objects);
        ck_assert_uint_eq(heap_pool_usage().allocated[FILEMEM_TMPFS], before.held);
        for (int i = 0; i < 1000; i++)
                ck_assert_ptr_ne(get(sizeof(TEXT)), object);
        filemem_heap_free(heap, object);
}

START_TEST(a_child_disturbs_nothing)
{
        check_child(be_a_child);
}
END_TEST

START_TEST(a_child_can_have_a_heap_of_its_own)
{
        check_child(have_a_heap);
}
END_TEST

/* ---- the end of the session ------------------------------------------------------------------ */

/* Allocates until there is nothing without asking the daemon. */
static void drain(void)
{
        for (int i = 0; i < 1000; i++)
                if (!filemem_heap_alloc(heap, MIB))
                        return;
        ck_abort_msg("a heap of a session that has ended goes on");
}

START_TEST(when_the_daemon_is_gone_nothing_is_allocated_and_all_can_be_freed)
{
        char *object = get(sizeof(TEXT)), *large = get(20 * MIB), *small = get(100);

        memcpy(object, TEXT, sizeof(TEXT));
        daemon_end(&heap_daemon, SIGKILL);
        drain();
        ck_assert_int_eq(errno, ECONNRESET);
        ck_assert_ptr_null(filemem_heap_alloc(heap, 1));
        ck_assert_int_eq(errno, ECONNRESET);
        ck_assert_ptr_null(filemem_heap_realloc(heap, object, 1000));
        ck_assert_int_eq(errno, ECONNRESET);
        ck_assert_str_eq(object, TEXT);
        filemem_heap_free(heap, small);
        filemem_heap_free(heap, large);
        filemem_heap_free(heap, object);
        ck_assert_int_eq(filemem_heap_purge(heap), -ECONNRESET);
        heap = filemem_heap_destroy(heap);
        heap_session = filemem_close(heap_session);
        daemon_launch(&heap_daemon, "[pool default]\ncapacity = 4G\n");
}
END_TEST

START_TEST(a_purge_finds_out_that_the_daemon_is_gone)
{
        filemem_heap_free(heap, get(2 * MIB));
        daemon_end(&heap_daemon, SIGKILL);
        ck_assert_int_eq(filemem_heap_purge(heap), -ECONNRESET);
        ck_assert_ptr_null(filemem_heap_alloc(heap, 1));
        heap = filemem_heap_destroy(heap);
        heap_session = filemem_close(heap_session);
        daemon_launch(&heap_daemon, "[pool default]\ncapacity = 4G\n");
}
END_TEST

START_TEST(an_administrator_who_ends_the_session_ends_the_heap)
{
        filemem_session *other = heap_open();

        get(100);
        ck_assert_int_eq(filemem_kick_session(other, filemem_session_id(heap_session)), 0);
        drain();
        ck_assert_int_ne(errno, ENOMEM);
        ck_assert_ptr_null(filemem_heap_alloc(heap, 1));
        filemem_close(other);
        heap_await(0, 0);
}
END_TEST

TCase *heap_process_case(Suite *suite)
{
        TCase *tests = harness_case(suite, "Processes", 60);

        tcase_add_checked_fixture(tests, heap_start, heap_stop);
        tcase_add_test(tests, an_object_has_a_place_in_the_pool_and_the_place_is_the_object);
        tcase_add_test(tests, another_process_reads_and_writes_an_object);
        tcase_add_test(tests, pages_that_others_hold_outlive_the_heap);
        tcase_add_test(tests, pages_that_others_hold_are_not_decommitted);
        tcase_add_test(tests, a_child_disturbs_nothing);
        tcase_add_test(tests, a_child_can_have_a_heap_of_its_own);
        tcase_add_test(tests, when_the_daemon_is_gone_nothing_is_allocated_and_all_can_be_freed);
        tcase_add_test(tests, a_purge_finds_out_that_the_daemon_is_gone);
        tcase_add_test(tests, an_administrator_who_ends_the_session_ends_the_heap);
        return tests;
}
