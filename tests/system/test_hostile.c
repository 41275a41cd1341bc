// SPDX-License-Identifier: Apache-2.0
#include "test_hostile.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER 65534

void hostile_start(struct hostile *hostile)
{
        hostile_start_with(hostile, "[pool default]\ncapacity = 64M\njoin = *\n");
}

void hostile_start_with(struct hostile *hostile, const char *pools)
{
        char config[1024];

        snprintf(config, sizeof(config), "[daemon]\nsocket_mode = 0666\n%s", pools);
        daemon_start(&hostile->daemon, config);
        ck_assert_int_eq(chmod(hostile->daemon.folder, 0755), 0);
        honest_open(&hostile->honest, hostile->daemon.socket);
        hostile->fds = daemon_count_fds(&hostile->daemon);
}

void hostile_stop(struct hostile *hostile)
{
        honest_close(&hostile->honest);
        daemon_stop(&hostile->daemon);
}

void hostile_become_other(void)
{
        if (geteuid() != 0)
                return;
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setresgid(OTHER_USER, OTHER_USER, OTHER_USER), 0);
        ck_assert_int_eq(setresuid(OTHER_USER, OTHER_USER, OTHER_USER), 0);
}

bool hostile_open(const struct hostile *hostile, struct raw *raw)
{
        static const char hello[] = "\x0a\x02\x08\x01"; /* of major version 1 */
        const Filemem__ToClient *message;

        if (raw_try_connect(raw, hostile->daemon.socket) < 0)
                return false;
        if (raw_send_bytes(raw, hello, 4, NULL, 0) == 0) {
                message = raw_receive(raw);
                if (message && message->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME) {
                        raw->session = message->welcome->session;
                        return true;
                }
        }
        raw_close(raw);
        return false;
}

static pid_t fork_hostile(const struct hostile *hostile, hostile_fn *act)
{
        pid_t parent = getpid(), pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid)
                return pid;
        close(hostile->honest.raw.fd);
        hostile_become_other();
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* which changing the user had undone */
        while (getppid() == parent)
                act(hostile);
        _exit(0);
}

void hostile_begin(struct hostile *hostile, hostile_fn *act, int count)
{
        ck_assert_int_le(count, HOSTILE_MAX);
        for (int i = 0; i < count; i++)
                hostile->pids[i] = fork_hostile(hostile, act);
        poll(NULL, 0, 50); /* so that they are at it */
}

void hostile_end(struct hostile *hostile, const char *name, int count)
{
        for (int i = 0; i < count; i++) {
                /* One that has ended was not hostile for long enough. */
                ck_assert_int_eq(waitpid(hostile->pids[i], NULL, WNOHANG), 0);
                ck_assert_int_eq(kill(hostile->pids[i], SIGKILL), 0);
                ck_assert_int_eq(waitpid(hostile->pids[i], NULL, 0), hostile->pids[i]);
        }
        honest_await_alone(&hostile->honest, name);
        daemon_await_fds(&hostile->daemon, hostile->fds);
        honest_check_level_again(&hostile->honest, name);
}

void hostile_beside(struct hostile *hostile, const char *name, hostile_fn *act, int count)
{
        hostile_begin(hostile, act, count);
        honest_check_level(&hostile->honest, name);
        honest_check_memory(&hostile->honest, name);
        hostile_end(hostile, name, count);
        honest_check_memory(&hostile->honest, name);
}

int main(void)
{
        Suite *suite = suite_create("hostile");

        add_hostile_message_tests(suite);
        add_hostile_memory_tests(suite);
        add_hostile_death_tests(suite);
        add_hostile_user_tests(suite);
        return harness_run(suite);
}
