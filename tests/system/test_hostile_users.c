// SPDX-License-Identifier: Apache-2.0
#include "support/namespace.h"
#include "test_hostile.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- who is who -------------------------------------------------------------------------------
 */

/* ---- users ------------------------------------------------------------------------------------
 */

/* Root of a user namespace where there is nobody else. Returns how many sessions it is shown. */
static int count_sessions(const struct hostile *hostile)
{
        struct raw_operation operation;
        struct raw raw;

        if (geteuid() != 0 || !hostile_open(hostile, &raw))
                return 101;
        raw_sessions(&operation, 0, 0);
        return (int)raw_do(&raw, &operation)->sessions->n_sessions;
}

/* Returns the exit code. */
static int wait_for(pid_t pid)
{
        int status;

        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

START_TEST(root_of_another_user_namespace_is_whom_the_kernel_says)
{
        struct hostile hostile;
        pid_t pid;

        hostile_start(&hostile);
        pid = fork();
        if (pid == 0) {
                pid_t inside;

                hostile_become_other();
                inside = namespace_fork(0);
                _exit(inside ? wait_for(inside) : count_sessions(&hostile));
        }
        /* Its own; and the honest client's too only where both are one user. */
        ck_assert_int_eq(wait_for(pid), geteuid() == 0 ? 1 : 2);
        hostile_stop(&hostile);
}
END_TEST

/* Two of those whom the kernel calls by one number. Returns how much of it was wrong. */
static int be_two_unknown_users(const struct hostile *hostile)
{
        struct raw_operation operation;
        struct raw one, other;
        int wrong = 0;

        hostile_become_other(); /* 65534: what users of other namespaces are called */
        if (!hostile_open(hostile, &one) || !hostile_open(hostile, &other))
                return 101;
        raw_sessions(&operation, 0, 0);
        wrong += raw_do(&one, &operation)->sessions->n_sessions != 1;
        raw_kick_session(&operation, other.session);
        wrong += raw_call(&one, &operation)->status != FILEMEM__STATUS__STATUS_EPERM;
        raw_ping(&operation);
        raw_do(&other, &operation);
        return wrong;
}

/* Only root can become that user. For another one there is nothing to see: it is not called that.
 */
START_TEST(users_whom_the_kernel_does_not_tell_apart_are_not_one)
{
        struct hostile hostile;
        pid_t pid;

        hostile_start(&hostile);
        if (geteuid() == 0) {
                pid = fork();
                if (pid == 0)
                        _exit(be_two_unknown_users(&hostile));
                ck_assert_int_eq(wait_for(pid), 0);
        }
        hostile_stop(&hostile);
}
END_TEST

/* ---- where it may not be ----------------------------------------------------------------------
 */

static void try_to_join(const struct hostile *hostile, const char *pool)
{
        const Filemem__ToClient *message;
        struct raw raw;

        if (raw_try_connect(&raw, hostile->daemon.socket) < 0)
                return;
        raw_send_hello(&raw, WIRE_MAJOR, pool, "intruder");
        message = raw_receive(&raw);
        if (message && message->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME)
                _exit(1);
        raw_close(&raw);
}

static void join_what_it_may_not(const struct hostile *hostile)
{
        try_to_join(hostile, "closed");
        try_to_join(hostile, "private:1");
        try_to_join(hostile, "default/../closed");
}

START_TEST(who_tries_to_join_what_it_may_not_all_day_disturbs_nobody)
{
        struct hostile hostile;

        hostile_start_with(&hostile, "[pool default]\ncapacity = 64M\njoin = *\n"
                                     "[pool closed]\ncapacity = 16M\njoin = root\n");
        hostile_beside(&hostile, "join", join_what_it_may_not, 2);
        hostile_stop(&hostile);
}
END_TEST

void add_hostile_user_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "users", 60);

        tcase_add_test(tests, root_of_another_user_namespace_is_whom_the_kernel_says);
        tcase_add_test(tests, users_whom_the_kernel_does_not_tell_apart_are_not_one);
        tcase_add_test(tests, who_tries_to_join_what_it_may_not_all_day_disturbs_nobody);
}
