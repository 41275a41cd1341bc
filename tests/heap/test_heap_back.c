// SPDX-License-Identifier: Apache-2.0
/* What a heap gives back, and what it does at its limits. */
#include "test_heap.h"

#include <errno.h>
#include <string.h>

/* ---- giving back ----------------------------------------------------------------------------- */

/* Objects of all sizes, up to so many bytes in all, touched and freed. */
static void churn(uint64_t total)
{
        enum { COUNT = 4000 };
        static unsigned char *objects[COUNT];
        uint64_t used = 0;
        size_t count = 0;

        for (; count < COUNT && used < total; count++) {
                size_t size = (size_t)64 << count % 14;

                objects[count] = heap_get(size);
                memset(objects[count], 1, size);
                used += size;
        }
        while (count)
                filemem_heap_free(heap, objects[--count]);
}

START_TEST(purging_gives_all_that_is_free_to_the_host_and_the_pool)
{
        churn(64 * MIB);
        ck_assert_uint_gt(heap_pool_usage().total, 32 * MIB);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        ck_assert_uint_eq(heap_usage_now().unused, 0);
        heap_await(heap_usage_now().held, 0);
        ck_assert_uint_eq(filemem_lost_errors(heap_session, NULL, NULL, 0), 0);
        churn(64 * MIB);
}
END_TEST

START_TEST(what_decays_at_once_is_gone_without_a_purge)
{
        const struct filemem_heap_options options = {
                .size = sizeof(options), .decay_ms = FILEMEM_HEAP_AT_ONCE};
        unsigned char *object;

        heap_replace(&options);
        object = heap_get(8 * MIB);
        memset(object, 1, 8 * MIB);
        ck_assert_uint_ge(heap_pool_usage().total, 8 * MIB);
        filemem_heap_free(heap, object);
        heap_await(heap_usage_now().held, 0);
}
END_TEST

START_TEST(what_is_kept_stays_until_purged)
{
        const struct filemem_heap_options options = {
                .size = sizeof(options), .decay_ms = FILEMEM_HEAP_KEEP};
        unsigned char *object;

        heap_replace(&options);
        object = heap_get(8 * MIB);
        memset(object, 1, 8 * MIB);
        filemem_heap_free(heap, object);
        ck_assert_uint_ge(heap_usage_now().unused, 8 * MIB);
        ck_assert_uint_ge(heap_pool_usage().total, 8 * MIB);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        heap_await(heap_usage_now().held, 0);
}
END_TEST

START_TEST(a_heap_that_keeps_its_ranges_decommits)
{
        const struct filemem_heap_options options = {.size = sizeof(options), .keep_ranges = true};
        uint64_t held;

        heap_replace(&options);
        churn(64 * MIB);
        held = heap_usage_now().held;
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        ck_assert_uint_eq(heap_usage_now().held, held);
        heap_await(held, 0);
        churn(48 * MIB);
        ck_assert_uint_eq(heap_usage_now().held, held);
}
END_TEST

START_TEST(destroying_gives_back_what_is_left)
{
        for (int i = 0; i < 100; i++)
                memset(heap_get((size_t)1 << i % 20), 1, (size_t)1 << i % 20);
        heap = filemem_heap_destroy(heap);
        ck_assert_ptr_null(heap);
        heap_await(0, 0);
        ck_assert_uint_eq(filemem_lost_errors(heap_session, NULL, NULL, 0), 0);
}
END_TEST

START_TEST(populated_memory_is_stored_before_it_is_touched)
{
        const struct filemem_heap_options options = {.size = sizeof(options), .populate = true};
        unsigned char *object;

        heap_replace(&options);
        object = heap_get(4 * MIB);
        ck_assert_uint_ge(heap_pool_usage().committed[FILEMEM_TMPFS], 4 * MIB);
        ck_assert_uint_lt(heap_pool_usage().committed[FILEMEM_TMPFS], 5 * MIB);
        ck_assert(heap_is_filled(object, 4 * MIB, 0));
        filemem_heap_free(heap, object);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        heap_await(heap_usage_now().held, 0);
        memset(heap_get(4 * MIB), 1, 4 * MIB);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

static void start_limited(void)
{
        heap_start_with("[pool default]\ncapacity = 4G\n[limits]\nsession_bytes = 16M\n");
}

static void start_few_ranges(void)
{
        heap_start_with("[pool default]\ncapacity = 4G\n[limits]\nsession_ranges = 8\n");
}

START_TEST(a_limit_is_a_refusal_with_its_errno)
{
        enum { OBJECTS = 64 };
        unsigned char *objects[OBJECTS];
        size_t count = 0;

        while (count < OBJECTS && (objects[count] = filemem_heap_alloc(heap, MIB)))
                memset(objects[count++], 1, MIB);
        ck_assert_int_eq(errno, EDQUOT);
        ck_assert_str_ne(filemem_last_error(heap_session), "");
        /* Growing in advance does not eat what is needed. */
        ck_assert_uint_ge(count, 10);
        while (count)
                filemem_heap_free(heap, objects[--count]);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        memset(heap_get(MIB), 1, MIB);
}
END_TEST

START_TEST(where_releases_are_refused_pages_are_decommitted)
{
        enum { OBJECTS = 600 };
        static unsigned char *objects[OBJECTS];
        uint64_t refused;

        for (size_t i = 0; i < OBJECTS; i++)
                memset(objects[i] = heap_get(16UL * 1024), 1, 16UL * 1024);
        for (size_t i = 0; i < OBJECTS; i += 2)
                filemem_heap_free(heap, objects[i]);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        /* What was decommitted is there to be used again. */
        for (size_t i = 0; i < OBJECTS / 4; i += 2)
                memset(objects[i] = heap_get(16UL * 1024), 1, 16UL * 1024);
        for (size_t i = 0; i < OBJECTS / 4; i += 2)
                filemem_heap_free(heap, objects[i]);
        for (size_t i = 1; i < OBJECTS; i += 2)
                filemem_heap_free(heap, objects[i]);
        ck_assert_int_eq(filemem_heap_purge(heap), 0);
        /* Those before it was found out, at most. */
        refused = filemem_lost_errors(heap_session, NULL, NULL, 0);
        ck_assert_uint_gt(refused, 0);
        ck_assert_uint_le(refused, 64);
        heap_await(heap_sum(heap_pool_usage().allocated), 64UL * 16 * 1024);
}
END_TEST

void heap_back_cases(Suite *suite)
{
        TCase *limits = harness_case(suite, "Limits", 60);
        TCase *ranges = harness_case(suite, "Ranges", 60);
        TCase *tests = harness_case(suite, "Giving back", 60);

        tcase_add_checked_fixture(tests, heap_start, heap_stop);
        tcase_add_test(tests, purging_gives_all_that_is_free_to_the_host_and_the_pool);
        tcase_add_test(tests, what_decays_at_once_is_gone_without_a_purge);
        tcase_add_test(tests, what_is_kept_stays_until_purged);
        tcase_add_test(tests, a_heap_that_keeps_its_ranges_decommits);
        tcase_add_test(tests, destroying_gives_back_what_is_left);
        tcase_add_test(tests, populated_memory_is_stored_before_it_is_touched);
        tcase_add_checked_fixture(limits, start_limited, heap_stop);
        tcase_add_test(limits, a_limit_is_a_refusal_with_its_errno);
        tcase_add_checked_fixture(ranges, start_few_ranges, heap_stop);
        tcase_add_test(ranges, where_releases_are_refused_pages_are_decommitted);
}
