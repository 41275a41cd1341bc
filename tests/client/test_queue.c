// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"
#include "queue_server.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND UINT64_C(1000000)

/* ---- submitting and completing -----------------------------------------------------------------
 */

START_TEST(any_number_is_done_in_order_in_as_few_messages_as_can_be)
{
        begin(serve);
        for (uintptr_t i = 1; i <= 1000; i++)
                ck_assert_int_eq(submit(i % 2 ? FILEMEM_DO_ALLOCATE : FILEMEM_DO_INCREF, i), 0);
        ck_assert_uint_eq(filemem_under_way(queue), 1000);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(filemem_under_way(queue), 0);
        ck_assert_uint_eq(seen.count, 1000);
        ck_assert_uint_eq(seen.wrong, 0);
        ck_assert_int_eq(seen.result, 0);
        ck_assert_uint_eq(atomic_load(&requests), 4);
        end();
}
END_TEST

START_TEST(many_are_submitted_at_once)
{
        static struct filemem_operation many[700];

        begin(serve);
        for (size_t i = 0; i < 700; i++)
                many[i] = operation((enum filemem_code)(i % 6), i + 1);
        for (size_t i = 4; i < 700; i += 6)
                many[i].done = NULL;
        ck_assert_int_eq(filemem_submit(queue, many, 700), 0);
        ck_assert_int_eq(filemem_submit(queue, NULL, 0), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        /* Without the releases, which are every sixth. */
        ck_assert_uint_eq(seen.count, 700 - 116);
        ck_assert_uint_eq(atomic_load(&operations), 700);
        ck_assert_uint_eq(atomic_load(&given_back), 116);
        end();
}
END_TEST

START_TEST(what_is_not_full_goes_when_it_is_flushed)
{
        begin(serve);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        poll(NULL, 0, 20);
        ck_assert_uint_eq(atomic_load(&requests), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        while (atomic_load(&requests) == 0)
                poll(NULL, 0, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 1);
        end();
}
END_TEST

START_TEST(each_has_its_own_result_and_sentence)
{
        struct filemem_operation bad = operation(FILEMEM_DO_DECREF, 2);

        begin(serve);
        next_page = 7;
        bad.range = unlucky;
        ck_assert_int_eq(submit(FILEMEM_DO_ALLOCATE, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(seen.result, 0);
        ck_assert_uint_eq(seen.range.start, 7 * PEER_PAGE);
        ck_assert_uint_eq(seen.range.end, 8 * PEER_PAGE);
        ck_assert_int_eq(filemem_submit(queue, &bad, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(seen.result, -EACCES);
        ck_assert_str_eq(seen.text, "unlucky");
        ck_assert_uint_eq(seen.range.start, unlucky.start);
        end();
}
END_TEST

START_TEST(what_has_no_callback_is_had_one_by_one)
{
        struct filemem_operation mine[4];
        struct filemem_completion next;
        unsigned count = 0;
        int r;

        begin(serve);
        for (uintptr_t i = 0; i < 4; i++) {
                mine[i] = operation(i == 2 ? FILEMEM_DO_USAGE : FILEMEM_DO_DECREF, i + 1);
                mine[i].done = i == 1 ? see : NULL;
        }
        mine[1].data = NULL;
        mine[3].range = unlucky;
        ck_assert_int_eq(filemem_next(queue, &next), 0);
        ck_assert_int_eq(filemem_submit(queue, mine, 4), 0);
        while (count < 3) {
                while ((r = filemem_next(queue, &next)) == 0)
                        poll(NULL, 0, 1);
                ck_assert_int_eq(r, 1);
                count++;
                ck_assert_uint_eq((uintptr_t)next.data, count == 1 ? 1 : count + 1);
        }
        ck_assert_int_eq(next.result, -EACCES);
        ck_assert_str_eq(next.text, "unlucky");
        ck_assert_ptr_null(next.usage);
        ck_assert_int_eq(filemem_next(queue, &next), 0);
        ck_assert_uint_eq(seen.count, 1);

        mine[2].data = &count;
        ck_assert_int_eq(filemem_submit(queue, &mine[2], 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(filemem_next(queue, &next), 1);
        ck_assert_ptr_eq(next.data, &count);
        ck_assert_uint_eq(next.usage->total, 4711);
        end();
}
END_TEST

START_TEST(what_is_plainly_wrong_is_refused_and_with_it_all_that_comes_along)
{
        static struct filemem_operation wrong[9];
        struct filemem_operation two[2];
        struct filemem_completion next;

        begin(serve);
        for (size_t i = 0; i < 9; i++)
                wrong[i] = operation(FILEMEM_DO_ALLOCATE, 1);
        wrong[0].code = (enum filemem_code)77;
        wrong[1].length = 1;
        wrong[2].kind = FILEMEM_KINDS;
        wrong[3].mode = FILEMEM_POPULATE;
        wrong[4].flags = 2;
        wrong[5].reserved[1] = 1;
        wrong[6].code = FILEMEM_DO_RELEASE;
        wrong[6].range.end = 1;
        wrong[7].code = FILEMEM_DO_DECOMMIT;
        wrong[7].range.end = PEER_CAPACITY + PEER_PAGE;
        wrong[8].length = 0;
        for (size_t i = 0; i < 9; i++) {
                two[0] = operation(FILEMEM_DO_PING, 1);
                two[1] = wrong[i];
                ck_assert_int_eq(filemem_submit(queue, two, 2), -EINVAL);
                ck_assert_str_ne(filemem_last_error(session), "");
        }
        ck_assert_uint_eq(filemem_under_way(queue), 0);
        ck_assert_int_eq(filemem_submit(NULL, two, 1), -EINVAL);
        ck_assert_int_eq(filemem_submit(queue, NULL, 1), -EINVAL);
        ck_assert_int_eq(filemem_next(queue, NULL), -EINVAL);
        ck_assert_int_eq(filemem_next(NULL, &next), -EINVAL);
        ck_assert_int_eq(filemem_wait(NULL, 0), -EINVAL);
        ck_assert_int_eq(filemem_dispatch(NULL), -EINVAL);
        ck_assert_int_eq(filemem_flush(NULL), -EINVAL);
        ck_assert_int_eq(filemem_queue_fd(NULL), -EINVAL);
        ck_assert_int_eq(filemem_queue_open(session, NULL, NULL), -EINVAL);
        ck_assert_uint_eq(filemem_under_way(NULL), 0);
        ck_assert_ptr_null(filemem_queue_close(NULL));
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 0);
        end();
}
END_TEST

START_TEST(without_memory_nothing_is_submitted)
{
        static struct filemem_operation many[600];

        begin(serve);
        for (size_t i = 0; i < 600; i++)
                many[i] = operation(FILEMEM_DO_PING, i + 1);
        /* Three batches of a mapping each; those that were had stay. */
        for (long n = 0; n < 3; n++) {
                fault_map_at(0);
                ck_assert_int_eq(filemem_submit(queue, many, 600), -ENOMEM);
                ck_assert_uint_eq(filemem_under_way(queue), 0);
                fault_map_at(-1);
                ck_assert_int_eq(filemem_submit(queue, many, (size_t)n * 256 + 1), 0);
                seen.last = 0;
                ck_assert_int_eq(filemem_wait(queue, 0), 0);
        }
        seen.count = 0;
        seen.last = 0;
        ck_assert_int_eq(filemem_submit(queue, many, 600), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 600);
        ck_assert_uint_eq(seen.wrong, 0);
        end();
}
END_TEST

static unsigned rounds;

static void submit_again(const struct filemem_completion *completion)
{
        struct filemem_operation next = operation(FILEMEM_DO_PING, 0);

        (void)completion;
        next.done = submit_again;
        if (++rounds < 100 && filemem_submit(queue, &next, 1) < 0)
                abort();
        if (filemem_ping(session) < 0)
                abort();
}

START_TEST(a_callback_may_submit_more_and_call_the_session)
{
        struct filemem_operation first = operation(FILEMEM_DO_PING, 0);

        begin(serve);
        first.done = submit_again;
        ck_assert_int_eq(filemem_submit(queue, &first, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(rounds, 100);
        end();
}
END_TEST

/* ---- releases ----------------------------------------------------------------------------------
 */

static struct {
        uint64_t count;
        int error;
        char text[32];
} lost;

static void lose(void *data, uint64_t count, int error, const char *text)
{
        if (data != &lost)
                abort();
        lost.count += count;
        lost.error = error;
        strncpy(lost.text, text, sizeof(lost.text) - 1);
}

START_TEST(refused_releases_are_told_to_the_handler)
{
        const struct filemem_queue_options options = {
                .size = sizeof(options), .lost = lose, .data = &lost};
        struct filemem_operation release = operation(FILEMEM_DO_RELEASE, 0);

        begin(serve);
        filemem_queue_close(queue);
        ck_assert_int_eq(filemem_queue_open(session, &options, &queue), 0);
        release.range = unlucky;
        for (unsigned i = 0; i < 300; i++)
                ck_assert_int_eq(filemem_submit(queue, &release, 1), 0);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        while (lost.count < 300) {
                ck_assert_int_ge(filemem_dispatch(queue), 0);
                poll(NULL, 0, 1);
        }
        ck_assert_uint_eq(lost.count, 300);
        ck_assert_int_eq(lost.error, -EACCES);
        ck_assert_str_eq(lost.text, "unlucky");
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 300);
        end();
}
END_TEST

START_TEST(releases_alone_are_used_up)
{
        struct filemem_operation release = operation(FILEMEM_DO_RELEASE, 0);
        unsigned count = 100000 / harness_slowness();

        begin(serve);
        for (unsigned i = 0; i < count; i++) {
                ck_assert_int_eq(filemem_submit(queue, &release, 1), 0);
                if (i % 5000 == 0)
                        ck_assert_int_eq(filemem_ping(session), 0);
        }
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(atomic_load(&given_back), count);
        end();
}
END_TEST

/* ---- waiting -----------------------------------------------------------------------------------
 */

START_TEST(waiting_keeps_to_the_timeout_and_the_operations_go_on)
{
        begin(answer_when_told);
        filemem_set_timeout(20 * MILLISECOND);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), -ETIMEDOUT);
        ck_assert_uint_eq(filemem_under_way(queue), 1);
        ck_assert_int_eq(filemem_dispatch(queue), 0);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 1);
        end();
}
END_TEST

START_TEST(submitting_never_waits)
{
        unsigned count = 200000 / harness_slowness();

        begin(answer_when_told);
        for (uintptr_t i = 1; i <= count; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_DECREF, i), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, count);
        ck_assert_uint_eq(seen.wrong, 0);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("queue");
        TCase *tests = harness_case(suite, "queue", 30);

        tcase_add_test(tests, any_number_is_done_in_order_in_as_few_messages_as_can_be);
        tcase_add_test(tests, many_are_submitted_at_once);
        tcase_add_test(tests, what_is_not_full_goes_when_it_is_flushed);
        tcase_add_test(tests, each_has_its_own_result_and_sentence);
        tcase_add_test(tests, what_has_no_callback_is_had_one_by_one);
        tcase_add_test(tests, what_is_plainly_wrong_is_refused_and_with_it_all_that_comes_along);
        tcase_add_test(tests, without_memory_nothing_is_submitted);
        tcase_add_test(tests, a_callback_may_submit_more_and_call_the_session);
        tcase_add_test(tests, refused_releases_are_told_to_the_handler);
        tcase_add_test(tests, releases_alone_are_used_up);
        tcase_add_test(tests, waiting_keeps_to_the_timeout_and_the_operations_go_on);
        tcase_add_test(tests, submitting_never_waits);
        return harness_run(suite);
}
