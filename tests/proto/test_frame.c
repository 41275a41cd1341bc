// SPDX-License-Identifier: Apache-2.0
#include "proto/frame.h"

#include "proto/wire.h"
#include "support/harness.h"

#include <errno.h>
#include <string.h>

static uint8_t buffer[WIRE_MESSAGE_MAX];
static struct arena arena;

/* As many decrefs of pages from `first` on. Returns where they end. */
static size_t add_decrefs(size_t count, uint64_t first)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Range range = FILEMEM__RANGE__INIT;
        ssize_t at = FRAME_HEAD;

        operation.no_reply = true;
        operation.body_case = FILEMEM__OPERATION__BODY_DECREF;
        operation.decref = &range;
        for (size_t i = 0; i < count; i++) {
                range.start = first + i;
                range.end = first + i + 1;
                at = frame_add(buffer, sizeof(buffer), (size_t)at, &operation);
                ck_assert_int_gt(at, 0);
        }
        return (size_t)at;
}

static const Filemem__Request *decode(size_t start, size_t end)
{
        Filemem__ToDaemon *message;

        arena_reset(&arena);
        ck_assert_int_eq(wire_decode_to_daemon(&arena, buffer + start, end - start, &message), 0);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_DAEMON__BODY_REQUEST);
        return message->request;
}

static const struct {
        size_t count;
        uint64_t first;
        uint64_t id;
        bool acknowledge;
} frames[] = {{0, 0, 0, false}, {1, 1, 1, false}, {1, 1, 127, true}, {4, 300, 128, true},
        {9, UINT64_MAX - 10, UINT64_MAX, true}, {256, UINT64_MAX - 300, UINT64_MAX, true}};

START_TEST(a_frame_is_the_request_that_it_was_made_of)
{
        const Filemem__Request *request;
        size_t end, start;

        ck_assert_int_eq(arena_init(&arena, WIRE_ARENA_SIZE), 0);
        end = add_decrefs(frames[_i].count, frames[_i].first);
        start = frame_close(buffer, end, frames[_i].id, frames[_i].acknowledge);
        ck_assert_uint_le(start, FRAME_HEAD);
        request = decode(start, end);
        ck_assert_uint_eq(request->id, frames[_i].id);
        ck_assert_int_eq(request->acknowledge, frames[_i].acknowledge);
        ck_assert_uint_eq(request->n_operations, frames[_i].count);
        for (size_t i = 0; i < frames[_i].count; i++)
                ck_assert_uint_eq(request->operations[i]->decref->end, frames[_i].first + i + 1);
        arena_deinit(&arena);
}
END_TEST

START_TEST(a_frame_can_be_closed_again_with_another_id)
{
        size_t end, start;

        ck_assert_int_eq(arena_init(&arena, WIRE_ARENA_SIZE), 0);
        end = add_decrefs(2, 5);
        frame_close(buffer, end, UINT64_MAX, true);
        start = frame_close(buffer, end, 3, false);
        ck_assert_uint_eq(decode(start, end)->id, 3);
        ck_assert(!decode(start, end)->acknowledge);
        arena_deinit(&arena);
}
END_TEST

START_TEST(no_operation_of_numbers_is_longer_than_said_and_none_is_written_beyond_the_end)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Decommit decommit = FILEMEM__DECOMMIT__INIT;
        const size_t size = FRAME_HEAD + FRAME_OPERATION_MAX;
        ssize_t end;

        decommit.start = UINT64_MAX;
        decommit.end = UINT64_MAX;
        decommit.shared = true;
        operation.no_reply = true;
        operation.body_case = FILEMEM__OPERATION__BODY_DECOMMIT;
        operation.decommit = &decommit;
        end = frame_add(buffer, size, FRAME_HEAD, &operation);
        ck_assert_int_gt(end, 0);
        memset(buffer, 0xee, sizeof(buffer));
        for (size_t i = FRAME_HEAD; i < (size_t)end; i++)
                ck_assert_int_eq(frame_add(buffer, i, FRAME_HEAD, &operation), -EMSGSIZE);
        for (size_t i = 0; i < size; i++)
                ck_assert_uint_eq(buffer[i], 0xee);
}
END_TEST

static const struct {
        uint64_t first, second;
        bool no_reply;
} pairs[] = {{0, 4096, false}, {0, 4096, true}, {4096, 0, true}, {UINT64_MAX, UINT64_MAX, true},
        {127, 128, false}, {UINT64_C(1) << 63, 1, false}};

START_TEST(two_numbers_are_encoded_as_by_the_library_of_protocol_buffers)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Range range = FILEMEM__RANGE__INIT;
        uint8_t expected[FRAME_HEAD + FRAME_OPERATION_MAX];
        ssize_t end;

        operation.no_reply = pairs[_i].no_reply;
        operation.body_case = FILEMEM__OPERATION__BODY_DECREF;
        operation.decref = &range;
        range.start = pairs[_i].first;
        range.end = pairs[_i].second;
        end = frame_add(expected, sizeof(expected), FRAME_HEAD, &operation);
        ck_assert_int_gt(end, 0);
        ck_assert_uint_eq(frame_add_numbers(buffer, FRAME_HEAD, operation.body_case,
                                  pairs[_i].no_reply, range.start, range.end),
                (size_t)end);
        ck_assert_int_eq(
                memcmp(buffer + FRAME_HEAD, expected + FRAME_HEAD, (size_t)end - FRAME_HEAD), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("frame");
        TCase *tests = harness_case(suite, "frame", 10);

        tcase_add_loop_test(tests, a_frame_is_the_request_that_it_was_made_of, 0,
                sizeof(frames) / sizeof(frames[0]));
        tcase_add_test(tests, a_frame_can_be_closed_again_with_another_id);
        tcase_add_test(tests,
                no_operation_of_numbers_is_longer_than_said_and_none_is_written_beyond_the_end);
        tcase_add_loop_test(tests, two_numbers_are_encoded_as_by_the_library_of_protocol_buffers, 0,
                sizeof(pairs) / sizeof(pairs[0]));
        return harness_run(suite);
}
