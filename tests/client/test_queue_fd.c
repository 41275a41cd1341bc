// SPDX-License-Identifier: Apache-2.0
/* Queues in event loops: when their descriptor wakes. */
#include "queue_server.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

static bool is_readable(int fd, int timeout)
{
        struct pollfd wanted = {.fd = fd, .events = POLLIN};

        return poll(&wanted, 1, timeout) == 1;
}

START_TEST(the_descriptor_wakes_for_answers)
{
        int fd;

        begin(serve);
        fd = filemem_queue_fd(queue);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(filemem_queue_fd(queue), fd);
        ck_assert(!is_readable(fd, 0));
        for (uintptr_t i = 1; i <= 50; i++) {
                ck_assert_int_eq(submit(FILEMEM_DO_PING, i), 0);
                ck_assert_int_eq(filemem_flush(queue), 0);
                ck_assert(is_readable(fd, 5000));
                ck_assert_int_eq(filemem_dispatch(queue), 1);
                ck_assert(!is_readable(fd, 0));
        }
        ck_assert_uint_eq(seen.count, 50);
        end();
}
END_TEST

static void *ping(void *argument)
{
        (void)argument;
        return (void *)(intptr_t)filemem_ping(session);
}

START_TEST(the_descriptor_wakes_for_what_another_thread_has_received)
{
        pthread_t thread;
        void *result;
        int fd;

        begin(serve);
        fd = filemem_queue_fd(queue);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        /* It comes after ours, so whoever gets it has received ours. */
        ck_assert_int_eq(pthread_create(&thread, NULL, ping, NULL), 0);
        pthread_join(thread, &result);
        ck_assert_int_eq((intptr_t)result, 0);
        ck_assert_uint_eq(seen.count, 0);
        ck_assert(is_readable(fd, 5000));
        ck_assert_int_eq(filemem_dispatch(queue), 1);
        ck_assert_uint_eq(seen.count, 1);
        ck_assert(!is_readable(fd, 0));
        end();
}
END_TEST

START_TEST(the_descriptor_wakes_for_room)
{
        unsigned count = 200000 / harness_slowness();
        int fd;

        begin(answer_when_told);
        fd = filemem_queue_fd(queue);
        for (uintptr_t i = 1; i <= count; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_PING, i), 0);
        ck_assert_int_eq(filemem_dispatch(queue), 0);
        ck_assert(!is_readable(fd, 0));
        peer_reach(&peer, 1);
        while (seen.count < count) {
                ck_assert(is_readable(fd, 5000));
                ck_assert_int_ge(filemem_dispatch(queue), 0);
        }
        ck_assert_uint_eq(seen.wrong, 0);
        end();
}
END_TEST

START_TEST(the_descriptor_wakes_for_the_end_once)
{
        int fd;

        begin(hang_up_when_told);
        fd = filemem_queue_fd(queue);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        ck_assert(!is_readable(fd, 0));
        peer_reach(&peer, 1);
        ck_assert(is_readable(fd, 5000));
        ck_assert_int_eq(filemem_dispatch(queue), 1);
        ck_assert_int_eq(seen.result, -ECONNRESET);
        ck_assert(!is_readable(fd, 0));
        ck_assert_int_eq(filemem_dispatch(queue), -ECONNRESET);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("queue_fd");
        TCase *tests = harness_case(suite, "queue_fd", 30);

        tcase_add_test(tests, the_descriptor_wakes_for_answers);
        tcase_add_test(tests, the_descriptor_wakes_for_what_another_thread_has_received);
        tcase_add_test(tests, the_descriptor_wakes_for_room);
        tcase_add_test(tests, the_descriptor_wakes_for_the_end_once);
        return harness_run(suite);
}
