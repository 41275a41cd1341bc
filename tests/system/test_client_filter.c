// SPDX-License-Identifier: Apache-2.0
#include "test_client.h"

#include "call_list.h"
#include "client_fixture.h"
#include "everything.h"
#include "support/harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define AFTER_OPENING "### After opening"
#define OPENING       "### To open an inherited session"
#define QUEUE_FD      "### For the descriptor of a queue"
#define FAILED        100

/* ---- the process under a filter ---------------------------------------------------------------
 */

/* Its two threads tell each other how far they are without a system call, which a filter could
 * mind. */
static struct {
        filemem_session *session;
        const struct call_filter *filter;
        atomic_int ready;
        atomic_int done;
        atomic_int wrong;
} scene;

static int await(atomic_int *counter, int value)
{
        while (atomic_load(counter) < value)
                ;
        return 0;
}

static void converse(void)
{
        atomic_fetch_add(&scene.wrong, call_filter_apply(scene.filter) < 0);
        atomic_fetch_add(&scene.ready, 1);
        await(&scene.ready, 2);
        atomic_fetch_add(&scene.wrong, everything_at_once(scene.session));
        atomic_fetch_add(&scene.done, 1);
}

/* To end, a thread needs calls that are none of the library's: it stays. */
static void *run_thread(void *argument)
{
        (void)argument;
        converse();
        await(&scene.done, 3);
        return NULL;
}

static void live_under_filter(const struct call_filter *filter)
{
        pthread_t thread;

        scene.filter = filter;
        if (filemem_open(the_daemon.socket, NULL, &scene.session) < 0 ||
                pthread_create(&thread, NULL, run_thread, NULL) != 0)
                _exit(FAILED);
        converse();
        await(&scene.done, 2);
        atomic_fetch_add(&scene.wrong, everything_with(scene.session));
        syscall(__NR_exit_group, atomic_load(&scene.wrong));
}

/* The same with one thread and a session that it inherits: the filter is there before it opens. */
static void open_under_filter(const struct call_filter *filter)
{
        filemem_session *session;
        char number[16];
        int fd;

        /* Who makes the session is another process as a rule; this one has left its own alone. */
        if (filemem_open(the_daemon.socket, NULL, &session) < 0 ||
                filemem_open_peer(session, NULL, &fd) < 0 || fcntl(fd, F_SETFD, 0) < 0)
                _exit(FAILED);
        snprintf(number, sizeof(number), "%d", fd);
        if (setenv("FILEMEM_FD", number, 1) < 0 || call_filter_apply(filter) < 0)
                _exit(FAILED);
        if (filemem_open(NULL, NULL, &session) < 0)
                syscall(__NR_exit_group, FAILED + 1);
        syscall(__NR_exit_group, everything_with(session));
}

/* One thread with an event loop. */
static void loop_under_filter(const struct call_filter *filter)
{
        filemem_session *session;

        if (filemem_open(the_daemon.socket, NULL, &session) < 0 || call_filter_apply(filter) < 0)
                _exit(FAILED);
        syscall(__NR_exit_group, everything_in_a_loop(session));
}

/* Returns what waitpid() says of it. */
static int try_filter(
        const struct call_filter *filter, void (*live)(const struct call_filter *filter))
{
        pid_t child = fork();
        int status;

        ck_assert_int_ge(child, 0);
        if (child == 0)
                live(filter);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        return status;
}

/* ---- the list is neither too short nor too long -----------------------------------------------
 */

/* Without one of the first `rows` rows it has to die of that. */
static void check_needed(
        const struct call_list *list, size_t rows, void (*live)(const struct call_filter *filter))
{
        for (size_t i = 0; i < rows; i++) {
                struct call_filter filter;
                int status;

                call_filter_make(list, i, &filter);
                status = try_filter(&filter, live);
                ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
                        "%s is listed and not needed (%d)", list->row[i].name[0], status);
        }
}

START_TEST(after_open_only_the_listed_system_calls_are_made)
{
        struct call_list list = {0};
        struct call_filter filter;

        call_list_read(&list, AFTER_OPENING);
        call_filter_make(&list, list.rows, &filter);
        ck_assert_int_eq(try_filter(&filter, live_under_filter), 0);
}
END_TEST

START_TEST(every_listed_system_call_is_needed)
{
        struct call_list list = {0};

        call_list_read(&list, AFTER_OPENING);
        check_needed(&list, list.rows, live_under_filter);
}
END_TEST

START_TEST(an_inherited_session_is_opened_with_the_listed_system_calls)
{
        struct call_list list = {0};
        struct call_filter filter;

        call_list_read(&list, OPENING);
        call_list_read(&list, AFTER_OPENING);
        call_filter_make(&list, list.rows, &filter);
        ck_assert_int_eq(try_filter(&filter, open_under_filter), 0);
}
END_TEST

START_TEST(every_system_call_listed_for_opening_is_needed)
{
        struct call_list list = {0};
        size_t rows;

        call_list_read(&list, OPENING);
        rows = list.rows;
        call_list_read(&list, AFTER_OPENING);
        check_needed(&list, rows, open_under_filter);
}
END_TEST

START_TEST(the_descriptor_of_a_queue_needs_the_listed_system_calls)
{
        struct call_list list = {0};
        struct call_filter filter;
        size_t rows;

        call_list_read(&list, QUEUE_FD);
        rows = list.rows;
        call_list_read(&list, AFTER_OPENING);
        call_filter_make(&list, list.rows, &filter);
        ck_assert_int_eq(try_filter(&filter, loop_under_filter), 0);
        check_needed(&list, rows, loop_under_filter);
}
END_TEST

void test_client_filter(TCase *tests)
{
        tcase_add_test(tests, the_descriptor_of_a_queue_needs_the_listed_system_calls);
        tcase_add_test(tests, after_open_only_the_listed_system_calls_are_made);
        tcase_add_test(tests, every_listed_system_call_is_needed);
        tcase_add_test(tests, an_inherited_session_is_opened_with_the_listed_system_calls);
        tcase_add_test(tests, every_system_call_listed_for_opening_is_needed);
}
