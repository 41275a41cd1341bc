// SPDX-License-Identifier: Apache-2.0
/* How queues end, what daemons that die do to them, and threads. */
#include "queue_server.h"
#include "support/harness.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the end -----------------------------------------------------------------------------------
 */

START_TEST(at_the_end_all_are_told_so)
{
        struct filemem_completion next;

        begin(hang_up_when_told);
        for (uintptr_t i = 1; i <= 400; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_PING, i), 0);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), -ECONNRESET);
        ck_assert_uint_eq(seen.count, 400);
        ck_assert_int_eq(seen.result, -ECONNRESET);
        ck_assert_str_ne(seen.text, "");
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), -ECONNRESET);
        ck_assert_int_eq(filemem_flush(queue), -ECONNRESET);
        ck_assert_int_eq(filemem_wait(queue, 0), -ECONNRESET);
        ck_assert_int_eq(filemem_next(queue, &next), -ECONNRESET);
        end();
}
END_TEST

enum closing {
        CLOSE_BEFORE_THE_ANSWER,
        CLOSE_UNDELIVERED,
        CLOSE_HALF_POLLED,
        CLOSE_UNSENT,
        CLOSINGS
};

START_TEST(what_nobody_was_told_of_is_given_back)
{
        static struct filemem_operation many[300];
        enum closing closing = (enum closing)_i;
        struct filemem_completion next;
        unsigned kept = 0;

        begin(answer_when_told);
        next_page = UNLUCKY + 1;
        for (size_t i = 0; i < 300; i++) {
                many[i] = operation(i % 2 ? FILEMEM_DO_ALLOCATE : FILEMEM_DO_INCREF, 0);
                many[i].done = NULL;
        }
        many[299].code = FILEMEM_DO_RELEASE;
        ck_assert_int_eq(filemem_submit(queue, many, 300), 0);
        if (closing != CLOSE_BEFORE_THE_ANSWER && closing != CLOSE_UNSENT) {
                ck_assert_int_eq(filemem_flush(queue), 0);
                peer_reach(&peer, 1);
                ck_assert_int_eq(filemem_ping(session), 0);
        }
        for (; closing == CLOSE_HALF_POLLED && kept < 100; kept++)
                ck_assert_int_eq(filemem_next(queue, &next), 1);
        filemem_queue_close(queue);
        peer_reach(&peer, 1);
        /* The first one takes the answers in, the second comes after what gives back. */
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(atomic_load(&given_back), 300 - kept);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        end();
}
END_TEST

START_TEST(a_child_may_only_close)
{
        struct filemem_operation one = operation(FILEMEM_DO_PING, 1);
        struct filemem_completion next;
        pid_t child;
        int status;

        begin(serve);
        ck_assert_int_ge(filemem_queue_fd(queue), 0);
        ck_assert_int_eq(filemem_submit(queue, &one, 1), 0);
        child = fork();
        if (child == 0) {
                int wrong = 0;

                wrong += filemem_submit(queue, &one, 1) != -ECHILD;
                wrong += filemem_flush(queue) != -ECHILD;
                wrong += filemem_wait(queue, 0) != -ECHILD;
                wrong += filemem_dispatch(queue) != -ECHILD;
                wrong += filemem_next(queue, &next) != -ECHILD;
                wrong += filemem_queue_fd(queue) != -ECHILD;
                wrong += filemem_under_way(queue) != 0;
                filemem_queue_close(queue);
                filemem_close(session);
                _exit(wrong);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 1);
        end();
}
END_TEST

/* ---- daemons that die --------------------------------------------------------------------------
 */

static void die_in_the_middle(struct peer *where)
{
        where->survives = true;
        peer_greet(where);
        answer(where, peer_receive(where)->request);
        peer_receive(where);
        peer_send_resumed(where, 1);
        peer_await_resume(where);
        answer_all(where);
}

START_TEST(batches_are_sent_again_and_take_effect_once)
{
        begin(die_in_the_middle);
        for (uintptr_t i = 1; i <= 2000; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_ALLOCATE, i), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 2000);
        ck_assert_uint_eq(seen.wrong, 0);
        ck_assert_uint_eq(atomic_load(&operations), 2000);
        end();
}
END_TEST

/* ---- threads -----------------------------------------------------------------------------------
 */

#define THREADS 4u

static atomic_uint completed;

static void count_completion(const struct filemem_completion *completion)
{
        atomic_fetch_add(&completed, completion->result == 0);
}

static void *submit_and_wait(void *argument)
{
        struct filemem_operation one = operation(FILEMEM_DO_DECREF, 0);
        unsigned wrong = 0;

        one.done = count_completion;
        for (unsigned i = 0; i < 5000 / harness_slowness(); i++) {
                wrong += filemem_submit(queue, &one, 1) != 0;
                if (i % 50 == 0)
                        wrong += filemem_wait(queue, i % 100 ? 10 : 0) != 0;
                if (argument && i % 20 == 0)
                        wrong += filemem_ping(session) != 0;
        }
        wrong += filemem_wait(queue, 0) != 0;
        return (void *)(uintptr_t)wrong;
}

START_TEST(threads_share_a_queue)
{
        pthread_t threads[THREADS];
        void *wrong;

        begin(serve);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(
                        pthread_create(&threads[i], NULL, submit_and_wait, i % 2 ? session : NULL),
                        0);
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(threads[i], &wrong);
                ck_assert_ptr_null(wrong);
        }
        ck_assert_uint_eq(
                atomic_load(&completed), (uintmax_t)THREADS * (5000 / harness_slowness()));
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("queue_end");
        TCase *tests = harness_case(suite, "queue_end", 30);

        tcase_add_test(tests, at_the_end_all_are_told_so);
        tcase_add_loop_test(tests, what_nobody_was_told_of_is_given_back, 0, CLOSINGS);
        tcase_add_test(tests, a_child_may_only_close);
        tcase_add_test(tests, batches_are_sent_again_and_take_effect_once);
        tcase_add_test(tests, threads_share_a_queue);
        return harness_run(suite);
}
