// SPDX-License-Identifier: Apache-2.0
/* What a process may do around the library: fork, take signals, cancel threads. */
#include "fault_map.h"
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct peer peer;
static filemem_session *session;

static const struct filemem_range page = {0, PEER_PAGE};

static void begin(void (*script)(struct peer *peer))
{
        peer_start(&peer, script, NULL);
        session = peer_open(&peer);
}

static void end(void)
{
        filemem_close(session);
        peer_stop(&peer);
}

static void serve(struct peer *where)
{
        peer_serve(where);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* Every call of the header. Returns how many did not say -ECHILD. */
static int count_wrong_calls(void)
{
        struct filemem_session_info info;
        struct filemem_entry entry;
        struct filemem_usage usage;
        struct filemem_status status;
        struct filemem_range range;
        struct filemem_block block;
        struct filemem_pool pool;
        uint64_t number;
        void *address;
        const int results[] = {
                filemem_ping(session),
                filemem_allocate(session, PEER_PAGE, FILEMEM_SYSTEM, &range),
                filemem_incref(session, page),
                filemem_decref(session, page),
                filemem_release(session, page),
                filemem_decommit(session, page, 0),
                filemem_map(session, page, PROT_READ, &address),
                filemem_map_blocks(session, page, PROT_READ, &block, 1),
                filemem_map_into(session, page, NULL, PROT_READ, 0, &address),
                filemem_fd(session),
                filemem_usage(session, &usage),
                filemem_update_usage(session, &usage),
                filemem_total_usage(session, &number),
                filemem_total_size(session, &number),
                filemem_pool_info(session, &pool),
                filemem_status(session, &status),
                filemem_sessions(session, 0, &info, 1),
                filemem_dump(session, 0, &entry, 1),
        };
        int count = 0;

        for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
                count += results[i] != -ECHILD;
        count += filemem_lost_errors(session, NULL, NULL, 0) != 0;
        count += filemem_capacity(session) != PEER_CAPACITY;
        return count;
}

static int wait_for(pid_t child)
{
        int status;

        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

START_TEST(a_child_gets_echild_and_the_parent_goes_on)
{
        char *address;
        pid_t child;

        begin(serve);
        ck_assert_int_eq(filemem_map(session, page, PROT_READ | PROT_WRITE, (void **)&address), 0);
        child = fork();
        if (child == 0) {
                int wrong = count_wrong_calls();

                /* The memory is there, and shared. */
                memcpy(address, "from the child", 15);
                filemem_close(session);
                _exit(wrong);
        }
        ck_assert_int_eq(wait_for(child), 0);
        ck_assert_str_eq(address, "from the child");
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_incref(session, page), 0);
        end();
}
END_TEST

START_TEST(closing_in_the_child_gives_everything_back)
{
        size_t before = harness_count_fds();
        void *address;
        pid_t child;

        begin(serve);
        ck_assert_int_eq(filemem_map(session, page, PROT_READ, &address), 0);
        child = fork();
        if (child == 0) {
                int wrong = 0;

                /* Of the parent's: the listener and the connection and memfd of the peer. */
                filemem_close(session);
                wrong += harness_count_fds() != before + 3;
                wrong += fault_map_is_mapped(address);
                _exit(wrong);
        }
        ck_assert_int_eq(wait_for(child), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

/* Answers the first request only when the test says so. */
static void answer_late(struct peer *where)
{
        const Filemem__ToDaemon *message;
        uint64_t id;

        peer_greet(where);
        id = peer_receive_request(where)->id;
        peer_reach(where, 1);
        peer_await(where, 2);
        peer_reply(where, id, NULL);
        while ((message = peer_receive(where)))
                peer_reply(where, message->request->id, NULL);
}

static void *ping(void *argument)
{
        (void)argument;
        return (void *)(intptr_t)filemem_ping(session);
}

START_TEST(a_fork_while_another_thread_waits_harms_neither)
{
        pthread_t thread;
        void *result;
        pid_t child;

        begin(answer_late);
        ck_assert_int_eq(pthread_create(&thread, NULL, ping, NULL), 0);
        peer_await(&peer, 1);
        child = fork();
        if (child == 0) {
                int wrong = count_wrong_calls();

                filemem_close(session);
                _exit(wrong);
        }
        ck_assert_int_eq(wait_for(child), 0);
        peer_reach(&peer, 2);
        pthread_join(thread, &result);
        ck_assert_int_eq((intptr_t)result, 0);
        end();
}
END_TEST

/* ---- signals --------------------------------------------------------------------------------- */

static atomic_uint signals;

static void count_signal(int number)
{
        (void)number;
        atomic_fetch_add(&signals, 1);
}

START_TEST(signals_never_surface)
{
        /* Without SA_RESTART: every system call that can be interrupted is. */
        const struct sigaction action = {.sa_handler = count_signal};
        pthread_t thread;
        void *result;

        begin(answer_late);
        ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, ping, NULL), 0);
        peer_await(&peer, 1);
        /* Again and again: the thread sanitizer keeps one back that comes just before a call
         * blocks. */
        while (atomic_load(&signals) < 50) {
                ck_assert_int_eq(pthread_kill(thread, SIGUSR1), 0);
                poll(NULL, 0, 1);
        }
        peer_reach(&peer, 2);
        pthread_join(thread, &result);
        ck_assert_int_eq((intptr_t)result, 0);
        end();
}
END_TEST

/* ---- cancellation ---------------------------------------------------------------------------- */

START_TEST(a_cancelled_thread_finishes_its_call)
{
        pthread_t thread;
        void *result;

        begin(answer_late);
        ck_assert_int_eq(pthread_create(&thread, NULL, ping, NULL), 0);
        peer_await(&peer, 1);
        ck_assert_int_eq(pthread_cancel(thread), 0);
        peer_reach(&peer, 2);
        pthread_join(thread, &result);
        /* A thread that had gone while it led would leave this one waiting for ever. */
        ck_assert_int_eq(filemem_ping(session), 0);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("process");
        TCase *tests = harness_case(suite, "process", 20);

        tcase_add_test(tests, a_child_gets_echild_and_the_parent_goes_on);
        tcase_add_test(tests, closing_in_the_child_gives_everything_back);
        tcase_add_test(tests, a_fork_while_another_thread_waits_harms_neither);
        tcase_add_test(tests, signals_never_surface);
        tcase_add_test(tests, a_cancelled_thread_finishes_its_call);
        return harness_run(suite);
}
