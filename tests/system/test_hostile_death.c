// SPDX-License-Identifier: Apache-2.0
#include "filemem/filemem.h"
#include "test_hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- between any two system calls of the library ----------------------------------------------
 */

/* Two sessions in one process, the other one made by the first. */
static int live_as_peer(filemem_session *session)
{
        struct filemem_range range;
        filemem_session *peer;
        int wrong = 0, fd;

        if (filemem_open_peer(session, NULL, &fd) < 0 || filemem_open_fd(fd, NULL, &peer) < 0)
                return 1;
        wrong += filemem_allocate(peer, 16 * HOSTILE_PAGE, FILEMEM_MAPPED, &range) != 0;
        wrong += filemem_incref(session, range) != 0;
        filemem_close(peer);
        return wrong;
}

/* What a client does with the library. Returns how much of it was wrong. */
static int live(const char *socket)
{
        const int both = PROT_READ | PROT_WRITE;
        struct filemem_range range, second;
        struct filemem_usage usage;
        filemem_session *session;
        void *address;
        int wrong = 0;

        if (filemem_open(socket, NULL, &session) < 0)
                return 1;
        wrong += filemem_allocate(session, 16 * HOSTILE_PAGE, FILEMEM_ANONYMOUS, &range) != 0;
        wrong += filemem_map(session, range, both, &address) != 0;
        memset(address, 'd', 16 * HOSTILE_PAGE);
        wrong += filemem_allocate(session, 4 << 20, FILEMEM_TMPFS, &second) != 0;
        wrong +=
                filemem_map_into(session, second, NULL, both, FILEMEM_MAP_PRECOMMIT, &address) != 0;
        wrong += filemem_incref(session, range) != 0;
        wrong += filemem_decommit(session, second, 0) != 0;
        wrong += filemem_decref(session, range) != 0;
        wrong += filemem_release(session, range) != 0;
        wrong += filemem_update_usage(session, &usage) != 0;
        wrong += live_as_peer(session);
        filemem_close(session);
        return wrong;
}

/* Starts it traced, stopped before its first system call. */
static pid_t start_life(const struct hostile *hostile)
{
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                close(hostile->honest.raw.fd);
                hostile_become_other();
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
                        _exit(100);
                _exit(live(hostile->daemon.socket));
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSTOPPED(status));
        ck_assert_int_eq(
                ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD), 0);
        return pid;
}

/* Up to the next begin or end of a system call. Returns false if it has ended. */
static bool go_on(pid_t pid, int *ret_status)
{
        do {
                ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
                ck_assert_int_eq(waitpid(pid, ret_status, 0), pid);
        } while (WIFSTOPPED(*ret_status) && WSTOPSIG(*ret_status) != (SIGTRAP | 0x80));
        return WIFSTOPPED(*ret_status);
}

/* Dies at the n-th begin or end of a system call. Returns false if it lived to its end. */
static bool die_at(const struct hostile *hostile, int n)
{
        pid_t pid = start_life(hostile);
        int status;

        for (int i = 0; i <= n; i++) {
                if (go_on(pid, &status))
                        continue;
                ck_assert_msg(status == 0, "it ended with %d", status);
                return false;
        }
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        return true;
}

START_TEST(death_between_any_two_system_calls_leaves_nothing)
{
        struct hostile hostile;
        char beside[64];
        int n = 0;

        hostile_start(&hostile);
        while (die_at(&hostile, n)) {
                snprintf(beside, sizeof(beside), "death at stop %d", n);
                honest_await_alone(&hostile.honest, beside);
                daemon_await_fds(&hostile.daemon, hostile.fds);
                n++;
        }
        ck_assert_int_gt(n, 60); /* it makes more than 30 system calls */
        honest_check_memory(&hostile.honest, "deaths");
        honest_check_level_again(&hostile.honest, "deaths");
        hostile_stop(&hostile);
}
END_TEST

/* ---- a child that keeps the socket ------------------------------------------------------------
 */

/* A client that holds memory, with a child that sleeps and has its socket; the client dies. */
static pid_t leave_heir(const struct hostile *hostile)
{
        int ready[2];
        pid_t pid, heir;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                struct raw raw;

                close(hostile->honest.raw.fd);
                hostile_become_other();
                if (!hostile_open(hostile, &raw))
                        _exit(1);
                raw_get(&raw, 16 * HOSTILE_PAGE,
                        3); /* of a kind that does not merge with the honest one */
                heir = fork();
                if (heir == 0)
                        for (;;)
                                pause();
                _exit(write(ready[1], &heir, sizeof(heir)) != sizeof(heir));
        }
        ck_assert_int_eq(read(ready[0], &heir, sizeof(heir)), sizeof(heir));
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        close(ready[0]);
        close(ready[1]);
        return heir;
}

/* The kernel tells of the death, and the child keeps a socket that nobody is at the other end of.
 */
START_TEST(a_child_that_keeps_the_socket_keeps_nothing_else)
{
        struct hostile hostile;
        pid_t heir;

        hostile_start(&hostile);
        heir = leave_heir(&hostile);
        honest_await_alone(&hostile.honest, "heir");
        honest_check_level(&hostile.honest, "heir");
        honest_check_memory(&hostile.honest, "heir");
        ck_assert_int_eq(kill(heir, 0), 0); /* it lives */
        ck_assert_int_eq(kill(heir, SIGKILL), 0);
        hostile_stop(&hostile);
}
END_TEST

void add_hostile_death_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "death", 120);

        tcase_add_test(tests, death_between_any_two_system_calls_leaves_nothing);
        tcase_add_test(tests, a_child_that_keeps_the_socket_keeps_nothing_else);
}
