// SPDX-License-Identifier: Apache-2.0
#include "test_heap.h"

#include "support/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Sizes that nobody has. The compiler would say so. */
static volatile size_t all_there_is = SIZE_MAX;

/* ---- objects --------------------------------------------------------------------------------- */

START_TEST(a_new_heap_takes_nothing_of_the_pool)
{
        ck_assert_uint_eq(heap_sum(heap_pool_usage().allocated), 0);
        ck_assert_uint_eq(heap_usage_now().held, 0);
        ck_assert_uint_eq(heap_pool_usage().total, 0);
}
END_TEST

START_TEST(objects_are_apart_and_keep_what_is_written)
{
        static const size_t sizes[] = {0, 1, 8, 15, 100, 1000, 4096, 5000, 40000, 300000, 3 << 20};
        enum { COUNT = sizeof(sizes) / sizeof(*sizes), ROUNDS = 20 };
        unsigned char *objects[COUNT * ROUNDS];

        for (size_t i = 0; i < (size_t)COUNT * ROUNDS; i++) {
                size_t size = sizes[i % COUNT] ? sizes[i % COUNT] : 1;

                objects[i] = heap_get(sizes[i % COUNT]);
                ck_assert_uint_ge(filemem_heap_usable_size(heap, objects[i]), size);
                memset(objects[i], (int)i, size);
        }
        for (size_t i = 0; i < (size_t)COUNT * ROUNDS; i++) {
                size_t size = sizes[i % COUNT] ? sizes[i % COUNT] : 1;

                ck_assert(heap_is_filled(objects[i], size, (unsigned char)i));
                filemem_heap_free(heap, objects[i]);
        }
}
END_TEST

START_TEST(the_pool_accounts_what_the_heap_holds_under_its_kind)
{
        unsigned char *object = heap_get(MIB);
        struct filemem_usage now;

        memset(object, 1, MIB);
        now = heap_pool_usage();
        ck_assert_uint_eq(now.allocated[FILEMEM_TMPFS], heap_usage_now().held);
        ck_assert_uint_eq(now.allocated[FILEMEM_TMPFS], heap_sum(now.allocated));
        ck_assert_uint_ge(now.committed[FILEMEM_TMPFS], MIB);
        ck_assert_uint_lt(now.committed[FILEMEM_TMPFS], MIB + 16 * PAGE);
        ck_assert_uint_ge(heap_usage_now().objects, MIB);
}
END_TEST

START_TEST(calloc_is_zero_where_others_have_been)
{
        for (int round = 0; round < 3; round++)
                for (size_t size = 24; size < MIB; size *= 7) {
                        unsigned char *object = filemem_heap_calloc(heap, 3, size);

                        ck_assert_ptr_nonnull(object);
                        ck_assert(heap_is_filled(object, 3 * size, 0));
                        memset(object, 0xff, 3 * size);
                        filemem_heap_free(heap, object);
                }
        errno = 0;
        ck_assert_ptr_null(filemem_heap_calloc(heap, all_there_is / 2, 3));
        ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

START_TEST(alignment_is_kept_from_a_word_to_beyond_a_chunk)
{
        /* Not constants: compilers know that these are wrong. */
        static volatile const struct {
                size_t alignment;
                int error;
        } refused[] = {{0, EINVAL}, {24, EINVAL}, {SIZE_MAX / 2 + 1, ENOMEM}};

        for (size_t alignment = 1; alignment <= 64 * MIB; alignment *= 2) {
                unsigned char *object = filemem_heap_aligned_alloc(heap, alignment, 3 * PAGE + 1);

                ck_assert_msg(object != NULL, "alignment %zu", alignment);
                ck_assert_uint_eq((uintptr_t)object & (alignment - 1), 0);
                memset(object, 1, 3 * PAGE + 1);
                filemem_heap_free(heap, object);
        }
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
                ck_assert_ptr_null(filemem_heap_aligned_alloc(heap, refused[i].alignment, 1));
                ck_assert_int_eq(errno, refused[i].error);
        }
}
END_TEST

START_TEST(realloc_keeps_the_contents_and_never_frees)
{
        volatile size_t nothing = 0; /* compilers warn of the constant: to others it frees */
        unsigned char *object = filemem_heap_realloc(heap, NULL, 10);

        ck_assert_ptr_nonnull(object);
        memset(object, 7, 10);
        for (size_t size = 20; size < 20 * MIB; size *= 3) {
                object = filemem_heap_realloc(heap, object, size);
                ck_assert_ptr_nonnull(object);
                ck_assert(heap_is_filled(object, size / 3 < 10 ? 10 : size / 3, 7));
                memset(object, 7, size);
        }
        ck_assert_ptr_null(filemem_heap_realloc(heap, object, all_there_is));
        ck_assert_int_eq(errno, ENOMEM);
        ck_assert_ptr_null(filemem_heap_realloc(heap, object, (size_t)8 << 30));
        ck_assert(heap_is_filled(object, MIB, 7));
        object = filemem_heap_realloc(heap, object, nothing);
        ck_assert_ptr_nonnull(object);
        ck_assert_int_eq(object[0], 7);
        filemem_heap_free(heap, object);
}
END_TEST

START_TEST(what_is_larger_than_the_pool_is_refused_and_the_heap_goes_on)
{
        unsigned char *object;

        ck_assert_ptr_null(filemem_heap_alloc(heap, (size_t)5 << 30));
        ck_assert_int_eq(errno, ENOMEM);
        ck_assert_str_ne(filemem_last_error(heap_session), "");
        ck_assert_ptr_null(filemem_heap_alloc(heap, all_there_is));
        ck_assert_int_eq(errno, ENOMEM);
        object = heap_get((size_t)3 << 30);
        object[0] = object[((size_t)3 << 30) - 1] = 1;
        ck_assert_ptr_null(filemem_heap_alloc(heap, (size_t)2 << 30));
        filemem_heap_free(heap, object);
}
END_TEST

START_TEST(free_leaves_errno_and_takes_null)
{
        unsigned char *object = heap_get(5 * MIB);

        errno = 1234;
        filemem_heap_free(heap, object);
        filemem_heap_free(heap, NULL);
        filemem_heap_free(NULL, NULL);
        ck_assert_int_eq(errno, 1234);
        ck_assert_uint_eq(filemem_heap_usable_size(heap, NULL), 0);
}
END_TEST

/* ---- arguments and injected failures --------------------------------------------------------- */

START_TEST(wrong_arguments_are_refused)
{
        struct filemem_heap_options options = {.size = sizeof(options)};
        const struct filemem_options read_only = {.size = sizeof(read_only), .read_only = true};
        const struct filemem_options nowhere = {.size = sizeof(nowhere), .no_pool = true};
        filemem_session *other;
        filemem_heap *made = NULL;
        struct filemem_object where;
        void *address;
        int local;

        ck_assert_int_eq(filemem_heap_create(NULL, FILEMEM_TMPFS, NULL, &made), -EINVAL);
        ck_assert_int_eq(filemem_heap_create(heap_session, FILEMEM_KINDS, NULL, &made), -EINVAL);
        ck_assert_int_eq(filemem_heap_create(heap_session, FILEMEM_TMPFS, NULL, NULL), -EINVAL);
        options.decay_ms = -3;
        ck_assert_int_eq(
                filemem_heap_create(heap_session, FILEMEM_TMPFS, &options, &made), -EINVAL);
        options = (struct filemem_heap_options){.size = 1};
        ck_assert_int_eq(
                filemem_heap_create(heap_session, FILEMEM_TMPFS, &options, &made), -EINVAL);
        ck_assert_int_eq(filemem_open(heap_daemon.socket, &read_only, &other), 0);
        ck_assert_int_eq(filemem_heap_create(other, FILEMEM_TMPFS, NULL, &made), -EACCES);
        filemem_close(other);
        ck_assert_int_eq(filemem_open(heap_daemon.socket, &nowhere, &other), 0);
        ck_assert_int_eq(filemem_heap_create(other, FILEMEM_TMPFS, NULL, &made), -EACCES);
        filemem_close(other);
        ck_assert_ptr_null(made);

        ck_assert_int_eq(filemem_heap_locate(heap, &local, &where), -EINVAL);
        ck_assert_int_eq(filemem_heap_locate(heap, NULL, &where), -EINVAL);
        ck_assert_int_eq(
                filemem_heap_address(heap, filemem_capacity(heap_session), &address), -EINVAL);
        ck_assert_int_eq(filemem_heap_address(heap, 0, NULL), -EINVAL);
        ck_assert_int_eq(filemem_heap_purge(NULL), -EINVAL);
        ck_assert_int_eq(filemem_heap_usage(heap, NULL), -EINVAL);
        ck_assert_ptr_null(filemem_heap_alloc(NULL, 1));
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_ptr_null(filemem_heap_destroy(NULL));
}
END_TEST

START_TEST(without_a_window_there_is_no_heap)
{
        struct rlimit before, tight;
        filemem_heap *made = NULL;
        filemem_session *other;

        if (harness_slowness() > 1)
                return; /* the sanitizers need more addresses than that */
        ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
        tight = (struct rlimit){(rlim_t)6 << 30, before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
        other = heap_open();
        ck_assert_int_eq(filemem_heap_create(other, FILEMEM_TMPFS, NULL, &made), -ERANGE);
        filemem_close(other);
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
}
END_TEST

START_TEST(more_heaps_than_threads_keep_caches_for)
{
        enum { HEAPS = 80 };
        filemem_heap *heaps[HEAPS];
        void *objects[HEAPS];

        for (int round = 0; round < 2; round++) {
                for (size_t i = 0; i < HEAPS; i++) {
                        ck_assert_int_eq(
                                filemem_heap_create(heap_session, FILEMEM_TMPFS, NULL, &heaps[i]),
                                0);
                        objects[i] = filemem_heap_alloc(heaps[i], 100);
                        ck_assert_ptr_nonnull(objects[i]);
                }
                for (size_t i = 0; i < HEAPS; i++) {
                        filemem_heap_free(heaps[i], objects[i]);
                        filemem_heap_destroy(heaps[i]);
                }
        }
        heap = filemem_heap_destroy(heap);
        heap_await(0, 0);
}
END_TEST

START_TEST(every_failed_allocation_of_the_library_itself_is_survived)
{
        for (long n = 0;; n++) {
                filemem_heap *made = NULL;
                void *object = NULL;
                bool happened;
                int r;

                fault_alloc_at(n);
                r = filemem_heap_create(heap_session, FILEMEM_TMPFS, NULL, &made);
                if (r == 0)
                        object = filemem_heap_alloc(made, 100);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert(r == 0 || r == -ENOMEM);
                ck_assert(r < 0 || object != NULL); /* without a cache it goes on */
                filemem_heap_free(made, object);
                filemem_heap_destroy(made);
                if (!happened)
                        break;
                ck_assert_int_lt(n, 100);
        }
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------------- */

static TCase *objects_case(Suite *suite)
{
        TCase *tests = harness_case(suite, "Objects", 30);

        tcase_add_checked_fixture(tests, heap_start, heap_stop);
        tcase_add_test(tests, a_new_heap_takes_nothing_of_the_pool);
        tcase_add_test(tests, objects_are_apart_and_keep_what_is_written);
        tcase_add_test(tests, the_pool_accounts_what_the_heap_holds_under_its_kind);
        tcase_add_test(tests, calloc_is_zero_where_others_have_been);
        tcase_add_test(tests, alignment_is_kept_from_a_word_to_beyond_a_chunk);
        tcase_add_test(tests, realloc_keeps_the_contents_and_never_frees);
        tcase_add_test(tests, what_is_larger_than_the_pool_is_refused_and_the_heap_goes_on);
        tcase_add_test(tests, free_leaves_errno_and_takes_null);
        return tests;
}

int main(void)
{
        Suite *suite = suite_create("heap");
        TCase *arguments = harness_case(suite, "Arguments", 60);

        tcase_add_checked_fixture(arguments, heap_start, heap_stop);
        tcase_add_test(arguments, wrong_arguments_are_refused);
        tcase_add_test(arguments, without_a_window_there_is_no_heap);
        tcase_add_test(arguments, more_heaps_than_threads_keep_caches_for);
        tcase_add_test(arguments, every_failed_allocation_of_the_library_itself_is_survived);
        objects_case(suite);
        heap_back_cases(suite);
        heap_process_case(suite);
        return harness_run(suite);
}
