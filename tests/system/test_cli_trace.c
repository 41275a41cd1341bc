// SPDX-License-Identifier: Apache-2.0
/* What sessions do, watched while they do it. */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  UINT64_C(4096)
#define ALICE 60001

static struct daemon the_daemon;
static struct filemem_event events[5000];

static void start(void)
{
        daemon_start(&the_daemon, "[daemon]\nsocket_mode = 0666\n[pool default]\njoin = *\n"
                                  "[pool second]\njoin = *\ncapacity = 16M\n");
        ck_assert_int_eq(chmod(the_daemon.folder, 0711), 0);
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

static filemem_session *open_session(const char *pool)
{
        const struct filemem_options options = {.size = sizeof(options), .pool = pool};
        filemem_session *session;

        ck_assert_int_eq(filemem_open(NULL, &options, &session), 0);
        return session;
}

static filemem_session *open_watcher(const struct filemem_trace_options *how)
{
        const struct filemem_options options = {.size = sizeof(options), .no_pool = true};
        filemem_session *session;

        ck_assert_int_eq(filemem_open(NULL, &options, &session), 0);
        ck_assert_int_eq(filemem_trace(session, how, events, 1, NULL), 0);
        return session;
}

START_TEST(operations_are_seen_in_their_order)
{
        filemem_session *watcher = open_watcher(NULL), *session = open_session(NULL);
        struct filemem_range range;
        uint64_t lost;

        ck_assert_int_eq(filemem_allocate(session, 4 * PAGE, FILEMEM_TMPFS, &range), 0);
        ck_assert_int_eq(filemem_allocate(session, 1, FILEMEM_TMPFS, &range), -EINVAL);
        ck_assert_int_eq(filemem_incref(session, range), 0);
        ck_assert_int_eq(filemem_decommit(session, range, FILEMEM_DECOMMIT_SHARED), 0);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert_int_eq(filemem_decref(session, range), -ENOENT);
        ck_assert_int_eq(filemem_trace(watcher, NULL, events, 5000, &lost), 6);
        ck_assert_uint_eq(lost, 0);
        ck_assert_str_eq(events[0].operation, "allocate");
        ck_assert_uint_eq(events[0].session, filemem_session_id(session));
        ck_assert_uint_eq(events[0].range.end, range.end);
        ck_assert_int_eq(events[0].kind, FILEMEM_TMPFS);
        ck_assert_int_eq(events[0].error, 0);
        ck_assert_str_eq(events[1].operation, "incref");
        ck_assert_str_eq(events[2].operation, "decommit");
        ck_assert_str_eq(events[4].operation, "decref");
        ck_assert_int_eq(events[5].error, -ENOENT);
        ck_assert_uint_ge(events[0].age_ns, events[5].age_ns);
        ck_assert_int_eq(filemem_trace(watcher, NULL, events, 10, NULL), 0);
        filemem_close(session);
        filemem_close(watcher);
}
END_TEST

START_TEST(a_pool_or_a_session_is_watched)
{
        filemem_session *one = open_session(NULL), *two = open_session("second");
        const struct filemem_trace_options pool = {.size = sizeof(pool), .pool = "second"};
        const struct filemem_trace_options session = {
                .size = sizeof(session), .session = filemem_session_id(one)};
        const struct filemem_trace_options nobody = {.size = sizeof(nobody), .session = 999999};
        const struct filemem_trace_options nowhere = {.size = sizeof(nowhere), .pool = "nowhere"};
        filemem_session *watchers[] = {open_watcher(&pool), open_watcher(&session)};

        ck_assert_int_eq(filemem_ping(one), 0);
        ck_assert_int_eq(filemem_ping(two), 0);
        ck_assert_int_eq(filemem_ping(two), 0);
        ck_assert_int_eq(filemem_trace(watchers[0], &pool, events, 10, NULL), 2);
        ck_assert_uint_eq(events[1].session, filemem_session_id(two));
        ck_assert_int_eq(filemem_trace(watchers[1], &session, events, 10, NULL), 1);
        ck_assert_uint_eq(events[0].session, filemem_session_id(one));
        ck_assert_int_eq(filemem_trace(watchers[0], &nobody, events, 10, NULL), -ENOENT);
        ck_assert_int_eq(filemem_trace(watchers[0], &nowhere, events, 10, NULL), -ENOENT);
        ck_assert_int_eq(filemem_trace(watchers[0], NULL, events, 0, NULL), -EINVAL);
        for (int i = 0; i < 2; i++)
                filemem_close(watchers[i]);
        filemem_close(one);
        filemem_close(two);
}
END_TEST

START_TEST(one_of_so_many_is_taken)
{
        const struct filemem_trace_options how = {.size = sizeof(how), .sample = 10};
        filemem_session *watcher = open_watcher(&how), *session = open_session(NULL);

        for (int i = 0; i < 105; i++)
                ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_trace(watcher, &how, events, 5000, NULL), 10);
        filemem_close(session);
        filemem_close(watcher);
}
END_TEST

/* Nobody waits for who watches: the oldest is lost, and counted. */
START_TEST(what_comes_too_fast_is_lost_and_counted)
{
        filemem_session *watcher = open_watcher(NULL), *session = open_session(NULL);
        uint64_t lost = 0, all = 0;
        int count;

        for (int i = 0; i < 5000; i++)
                ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_trace(watcher, NULL, events, 100, &lost), 100);
        ck_assert_uint_eq(lost, 5000 - 4096);
        all = 100;
        while ((count = filemem_trace(watcher, NULL, events, 5000, &lost)) > 0) {
                ck_assert_int_le(count, 512);
                ck_assert_uint_eq(lost, 0);
                all += (uint64_t)count;
        }
        ck_assert_uint_eq(all, 4096);
        filemem_close(session);
        filemem_close(watcher);
}
END_TEST

START_TEST(watchers_are_few_and_end_with_their_session)
{
        filemem_session *watchers[9];
        const struct filemem_options options = {.size = sizeof(options), .no_pool = true};
        size_t idle = daemon_count_fds(&the_daemon);

        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 8; i++)
                        watchers[i] = open_watcher(NULL);
                ck_assert_int_eq(filemem_open(NULL, &options, &watchers[8]), 0);
                ck_assert_int_eq(filemem_trace(watchers[8], NULL, events, 1, NULL), -EDQUOT);
                ck_assert_str_eq(filemem_last_error(watchers[8]),
                        "too many traces are under way: end one of them, or wait for it");
                for (int i = 0; i < 9; i++)
                        filemem_close(watchers[i]);
                daemon_await_fds(&the_daemon, idle);
        }
}
END_TEST

/* What another user does is not seen, and a session of his cannot be asked for. */
static int watch_as_alice(uint64_t root)
{
        const struct filemem_trace_options how = {.size = sizeof(how), .session = root};
        filemem_session *watchers[3], *own;

        if (setgroups(0, NULL) < 0 || setgid(ALICE) < 0 || setuid(ALICE) < 0)
                return 100;
        for (int i = 0; i < 3; i++)
                if (filemem_open(NULL, NULL, &watchers[i]) < 0)
                        return 1;
        if (filemem_trace(watchers[0], NULL, events, 1, NULL) != 0 ||
                filemem_trace(watchers[1], NULL, events, 1, NULL) != 0)
                return 2;
        if (filemem_trace(watchers[2], NULL, events, 1, NULL) != -EDQUOT)
                return 3;
        if (filemem_open(NULL, NULL, &own) < 0 || filemem_ping(own) < 0)
                return 4;
        usleep(100000); /* while root is at work */
        /* ping and the refused trace of her other sessions, nothing of root's */
        for (int i = 0, count = filemem_trace(watchers[0], NULL, events, 100, NULL); i < count; i++)
                if (events[i].session == root)
                        return 5;
        if (filemem_trace(watchers[0], &how, events, 100, NULL) != -EPERM)
                return 6;
        return 0;
}

START_TEST(a_user_watches_its_own)
{
        filemem_session *session = open_session(NULL);
        int status;
        pid_t child;

        if (geteuid() != 0) {
                fputs("skipped: being somebody else needs root\n", stderr);
                filemem_close(session);
                return;
        }
        child = fork();
        if (!child)
                _exit(watch_as_alice(filemem_session_id(session)));
        while (waitpid(child, &status, WNOHANG) == 0)
                ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%d", WEXITSTATUS(status));
        filemem_close(session);
}
END_TEST

/* The command, while somebody works. */
START_TEST(the_command_prints_what_it_sees)
{
        filemem_session *session = open_session(NULL);
        struct filemem_range range;
        pid_t child = fork();

        if (!child) {
                /* a session of a child's own */
                filemem_session *worker;

                if (filemem_open(NULL, NULL, &worker) < 0)
                        _exit(1);
                for (;;) {
                        filemem_allocate(worker, 2 * PAGE, FILEMEM_MAPPED, &range);
                        filemem_decref(worker, range);
                        filemem_decref(worker, range);
                        usleep(2000);
                }
        }
        ctl_get("trace --limit 6 --raw --no-header -o operation,error,length,kind");
        ck_assert_ptr_nonnull(strstr(ctl_output, "allocate - 8192 Mapped\n"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "decref - 8192 -\n"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "decref ENOENT 8192 -\n"));
        ctl_get("trace -n 600 --sample 2 --pool default --json | grep -c '\"operation\"'");
        ck_assert_str_eq(ctl_output, "600\n");
        ck_assert_str_eq(ctl_fail(1, "trace --session 999999"),
                "trace: there is no such session: 'filememctl sessions' lists them");
        ck_assert_str_eq(ctl_fail(2, "trace --sample 0"), "--sample: write a whole number above 0");
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        filemem_close(session);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli trace");
        TCase *tests = harness_case(suite, "cli trace", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, operations_are_seen_in_their_order);
        tcase_add_test(tests, a_pool_or_a_session_is_watched);
        tcase_add_test(tests, one_of_so_many_is_taken);
        tcase_add_test(tests, what_comes_too_fast_is_lost_and_counted);
        tcase_add_test(tests, watchers_are_few_and_end_with_their_session);
        tcase_add_test(tests, a_user_watches_its_own);
        tcase_add_test(tests, the_command_prints_what_it_sees);
        return harness_run(suite);
}
