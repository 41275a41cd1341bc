// SPDX-License-Identifier: Apache-2.0
#include "server/inbox.h"

#include "support/harness.h"

#include <event2/event.h>
#include <pthread.h>
#include <stddef.h>

#define THREADS 4
#define ITEMS   2000
#define ALL     8000

struct numbered {
        struct inbox_item item;
        int thread;
        int number;
};

_Static_assert(ALL == THREADS * ITEMS, "all items of all threads");

static struct event_base *base;
static struct inbox inbox;
static struct numbered items[THREADS][ITEMS];
static int next[THREADS];
static int received;

static void receive(struct inbox_item *item)
{
        struct numbered *numbered = (void *)((char *)item - offsetof(struct numbered, item));

        ck_assert_int_eq(numbered->number, next[numbered->thread]++);
        if (++received == ALL)
                event_base_loopbreak(base);
}

static void *post_all(void *context)
{
        struct numbered *own = context;

        for (int i = 0; i < ITEMS; i++)
                inbox_post(&inbox, &own[i].item);
        return NULL;
}

static void start_inbox(void)
{
        base = event_base_new();
        ck_assert_ptr_nonnull(base);
        ck_assert_int_eq(inbox_init(&inbox, base, receive), 0);
        for (int thread = 0; thread < THREADS; thread++)
                for (int i = 0; i < ITEMS; i++) {
                        items[thread][i].thread = thread;
                        items[thread][i].number = i;
                }
}

static void stop_inbox(void)
{
        inbox_deinit(&inbox);
        event_base_free(base);
}

START_TEST(items_of_many_threads_arrive_each_in_its_order)
{
        pthread_t threads[THREADS];

        start_inbox();
        for (int i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all, items[i]), 0);
        /* Returns when all are there; a lost wake-up would leave it waiting. */
        ck_assert_int_eq(event_base_dispatch(base), 0);
        for (int i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(received, ALL);
        stop_inbox();
}
END_TEST

START_TEST(items_are_received_without_the_loop_too)
{
        start_inbox();
        post_all(items[0]);
        inbox_receive(&inbox);
        ck_assert_int_eq(received, ITEMS);
        inbox_receive(&inbox); /* nothing there is fine */
        ck_assert_int_eq(received, ITEMS);
        stop_inbox();
}
END_TEST

START_TEST(item_can_be_posted_again_when_it_was_received)
{
        start_inbox();
        for (int i = 0; i < 3; i++) {
                items[0][0].number = i;
                inbox_post(&inbox, &items[0][0].item);
                ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
                ck_assert_int_eq(received, i + 1);
        }
        stop_inbox();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("inbox");
        TCase *tests = harness_case(suite, "inbox", 20);

        tcase_add_test(tests, items_of_many_threads_arrive_each_in_its_order);
        tcase_add_test(tests, items_are_received_without_the_loop_too);
        tcase_add_test(tests, item_can_be_posted_again_when_it_was_received);
        return harness_run(suite);
}
