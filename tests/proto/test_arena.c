// SPDX-License-Identifier: Apache-2.0
#include "proto/arena.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

START_TEST(gives_aligned_pieces_that_do_not_overlap)
{
        struct arena arena;
        unsigned char *first, *second;

        ck_assert_int_eq(arena_init(&arena, 1024), 0);
        first = arena_alloc(&arena, 3);
        second = arena_alloc(&arena, 100);
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_nonnull(second);
        ck_assert_uint_eq((uintptr_t)first % _Alignof(max_align_t), 0);
        ck_assert_uint_eq((uintptr_t)second % _Alignof(max_align_t), 0);
        ck_assert(second >= first + 3);
        memset(first, 1, 3);
        memset(second, 2, 100);
        ck_assert_uint_eq(first[2], 1);
        arena_deinit(&arena);
}
END_TEST

START_TEST(serves_the_last_byte_and_not_one_more)
{
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, 64), 0);
        ck_assert_ptr_nonnull(arena_alloc(&arena, 64));
        ck_assert_ptr_null(arena_alloc(&arena, 1));
        arena_reset(&arena);
        ck_assert_ptr_null(arena_alloc(&arena, 65));
        ck_assert_ptr_nonnull(arena_alloc(&arena, 64));
        arena_deinit(&arena);
}
END_TEST

START_TEST(refuses_sizes_that_would_overflow)
{
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, 1000), 0);
        ck_assert_ptr_nonnull(arena_alloc(&arena, 999));
        /* Used up to a place that is not aligned: rounding up leaves the block. */
        ck_assert_ptr_null(arena_alloc(&arena, 0));
        arena_reset(&arena);
        ck_assert_ptr_nonnull(arena_alloc(&arena, 8));
        ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
        ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 15));
        ck_assert_ptr_null(arena_alloc(&arena, (size_t)1 << 63));
        ck_assert_ptr_nonnull(arena_alloc(&arena, 8));
        arena_deinit(&arena);
}
END_TEST

START_TEST(serves_protobuf_c_from_the_same_block)
{
        struct arena arena;
        ProtobufCAllocator *allocator = &arena.allocator;
        void *piece;

        ck_assert_int_eq(arena_init(&arena, 128), 0);
        piece = allocator->alloc(allocator->allocator_data, 32);
        ck_assert_ptr_eq(piece, arena.block);
        allocator->free(allocator->allocator_data, piece);
        ck_assert_uint_eq(arena.used, 32);
        ck_assert_ptr_null(allocator->alloc(allocator->allocator_data, 97));
        arena_deinit(&arena);
}
END_TEST

START_TEST(says_when_there_is_no_block)
{
        struct arena arena = {0};

        fault_alloc_at(0);
        ck_assert_int_eq(arena_init(&arena, 64), -ENOMEM);
        ck_assert(fault_alloc_happened());
        ck_assert_ptr_null(arena.block);
        fault_alloc_at(-1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("arena");
        TCase *tests = harness_case(suite, "arena", 5);

        tcase_add_test(tests, gives_aligned_pieces_that_do_not_overlap);
        tcase_add_test(tests, serves_the_last_byte_and_not_one_more);
        tcase_add_test(tests, refuses_sizes_that_would_overflow);
        tcase_add_test(tests, serves_protobuf_c_from_the_same_block);
        tcase_add_test(tests, says_when_there_is_no_block);
        return harness_run(suite);
}
