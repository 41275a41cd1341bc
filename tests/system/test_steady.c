// SPDX-License-Identifier: Apache-2.0
/*
 * What a request costs the real daemon once it has all that it needs: no allocation between the
 * message and its answer, and three system calls at most, which are epoll_wait(), recvmsg() and
 * sendmsg(). (A daemon that polls for the next message asks epoll more often, while it would
 * sleep.)
 */
#include "filemem/filemem.h"
#include "support/count_allocations.h"
#include "support/daemon.h"
#include "support/harness.h"
#include "support/temporary.h"
#include "support/trace_calls.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  UINT64_C(4096)
#define BATCH 64

static struct daemon the_daemon;
static filemem_session *session;
static filemem_queue *queue;
static struct filemem_range held; /* by the session, all the time */

static struct trace_calls *the_trace; /* NULL: nobody traces */

/* Lets the daemon get to where it waits: no two messages are there at once by chance. */
static void settle(void)
{
        if (the_trace)
                trace_calls_await(the_trace);
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static int take(uint64_t length, struct filemem_range *ret)
{
        settle();
        return filemem_allocate(session, length, FILEMEM_TMPFS, ret);
}

static int take_and_release(void)
{
        struct filemem_range range;
        int r = take(PAGE, &range);

        return r < 0 ? r : filemem_release(session, range);
}

static int take_and_decref(void)
{
        struct filemem_range range;
        int r = take(2 * PAGE, &range);

        settle();
        return r < 0 ? r : filemem_decref(session, range);
}

static int hold_twice(struct filemem_range range)
{
        int r;

        settle();
        r = filemem_incref(session, range);
        settle();
        return r < 0 ? r : filemem_decref(session, range);
}

static int hold_all_twice(void)
{
        return hold_twice(held);
}

static int hold_part_twice(void)
{
        return hold_twice((struct filemem_range){held.start + PAGE, held.end - PAGE});
}

static int ping(void)
{
        settle();
        return filemem_ping(session);
}

static int ask(void)
{
        struct filemem_usage usage;

        settle();
        return filemem_usage(session, &usage);
}

static int refuse(void)
{
        uint64_t capacity = filemem_capacity(session);

        settle();
        return filemem_incref(session, (struct filemem_range){capacity - PAGE, capacity}) < 0 ? 0
                                                                                              : -1;
}

static struct filemem_operation batch[BATCH];

static void keep_range(const struct filemem_completion *completion)
{
        struct filemem_operation *operation = completion->data;

        if (completion->result < 0)
                abort();
        operation->range = completion->range;
}

/* One message with allocations, and one that gives them back. */
static int use_queue(void)
{
        int r;

        for (size_t i = 0; i < BATCH; i++)
                batch[i] = (struct filemem_operation){.code = FILEMEM_DO_ALLOCATE,
                        .length = PAGE,
                        .kind = FILEMEM_TMPFS,
                        .done = keep_range,
                        .data = &batch[i]};
        settle();
        r = filemem_submit(queue, batch, BATCH);
        if (r == 0)
                r = filemem_wait(queue, 0);
        for (size_t i = 0; i < BATCH; i++)
                batch[i].code = FILEMEM_DO_RELEASE;
        if (r == 0)
                r = filemem_submit(queue, batch, BATCH);
        return r < 0 ? r : filemem_flush(queue);
}

static const struct traffic {
        const char *name;
        int (*once)(void);
        bool frees; /* so that the reclaim thread is woken, once a millisecond at the most */
} traffics[] = {
        {"take and release", take_and_release, true},
        {"take and decref", take_and_decref, true},
        {"hold twice", hold_all_twice, false},
        {"hold a part twice", hold_part_twice, false},
        {"ping", ping, false},
        {"ask for the usage", ask, false},
        {"be refused", refuse, false},
        {"use a queue", use_queue, true},
};
#define TRAFFICS (sizeof(traffics) / sizeof(traffics[0]))

static int do_often(const struct traffic *traffic, unsigned times)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < times; i++)
                r = traffic->once();
        /* All that was not waited for is done when this is. */
        return r < 0 ? r : filemem_ping(session);
}

static void start(void)
{
        daemon_start(&the_daemon, "[daemon]\nbusy_poll = 0\n[pool default]\ncapacity = 4G\n");
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
        ck_assert_int_eq(filemem_allocate(session, 4 * PAGE, FILEMEM_MAPPED, &held), 0);
}

static void stop(void)
{
        filemem_queue_close(queue);
        filemem_close(session);
        daemon_stop(&the_daemon);
}

/* ---- allocations -------------------------------------------------------------------------------
 */

#define WARM_UP 500
#define TIMES   2000

static struct count_allocations *counts;

static void start_counted(void)
{
        char path[128];
        int fd;

        ck_assert_int_eq(temporary_path(path, sizeof(path), "filemem-test.XXXXXX"), 0);
        fd = mkostemp(path, O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, sizeof(*counts)), 0);
        counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ck_assert_ptr_ne(counts, MAP_FAILED);
        close(fd);
        setenv(COUNT_ALLOCATIONS, path, 1);
        setenv("LD_PRELOAD", FILEMEM_COUNTER, 1);
        start();
        unlink(path);
}

static void stop_counted(void)
{
        stop();
        munmap(counts, sizeof(*counts));
}

START_TEST(nothing_is_allocated_for_a_request)
{
        const struct traffic *traffic = &traffics[_i];
        uint64_t messages, handling;

        /* The counter counts: the Hello, and the first of all, are not for nothing. */
        ck_assert_uint_gt(atomic_load(&counts->handling), 0);
        ck_assert_int_eq(do_often(traffic, WARM_UP), 0);
        messages = atomic_load(&counts->messages);
        handling = atomic_load(&counts->handling);
        ck_assert_int_eq(do_often(traffic, TIMES), 0);
        ck_assert_uint_ge(atomic_load(&counts->messages) - messages, TIMES);
        ck_assert_msg(atomic_load(&counts->handling) == handling, "%s: %u times %llu allocations",
                traffic->name, TIMES,
                (unsigned long long)(atomic_load(&counts->handling) - handling));
}
END_TEST

/* ---- system calls ------------------------------------------------------------------------------
 */

#define TRACED 200

static void *run_traffic(void *argument)
{
        int r = do_often(argument, TRACED);

        atomic_store(&the_trace->over, true);
        return (void *)(intptr_t)r;
}

START_TEST(a_request_is_three_system_calls)
{
        const struct traffic *traffic = &traffics[_i];
        static unsigned calls[4 * TRACED];
        struct trace_calls trace = {.counts = calls, .size = 4 * (size_t)TRACED};
        pthread_t thread;
        void *result;

        the_trace = &trace;
        ck_assert_int_eq(pthread_create(&thread, NULL, run_traffic, (void *)(uintptr_t)traffic), 0);
        /* The loop runs in the first thread. */
        trace_calls(&trace, the_daemon.pid);
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        the_trace = NULL;
        ck_assert_int_eq((intptr_t)result, 0);
        ck_assert_uint_ge(trace.messages, TRACED);
        ck_assert_msg(trace_calls_median(&trace) <= 3, "%s: %u", traffic->name,
                trace_calls_median(&trace));
        if (!traffic->frees)
                ck_assert_uint_lt(trace.futexes, TRACED / 10);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("steady");
        TCase *allocations = harness_case(suite, "allocations", 60);
        TCase *calls = harness_case(suite, "system calls", 60);

        tcase_add_checked_fixture(allocations, start_counted, stop_counted);
        tcase_add_loop_test(allocations, nothing_is_allocated_for_a_request, 0, TRAFFICS);
        tcase_add_checked_fixture(calls, start, stop);
        tcase_add_loop_test(calls, a_request_is_three_system_calls, 0, TRAFFICS);
        return harness_run(suite);
}
