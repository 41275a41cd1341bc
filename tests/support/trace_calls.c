// SPDX-License-Identifier: Apache-2.0
#include "support/trace_calls.h"

#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Whose header, <linux/ptrace.h>, cannot be had together with <sys/ptrace.h>. */
#define get_info(thread, info)                                                                     \
        ptrace(PTRACE_GET_SYSCALL_INFO, (thread), (void *)sizeof(info), &(info))

/* So many looks in vain, each of which lets others run, and then a rest. */
#define LOOKS 200

static void look_away(unsigned looks)
{
        if (looks % LOOKS == LOOKS - 1)
                poll(NULL, 0, 1);
        else
                sched_yield();
}

/* Returns the thread's next stop, as waitpid() has it; 0 if it is over before. */
static int await_stop(pid_t thread, const atomic_bool *over)
{
        for (unsigned looks = 0;; looks++) {
                int status;
                pid_t pid = waitpid(thread, &status, __WALL | WNOHANG);

                ck_assert_msg(pid >= 0, "the daemon cannot be traced: %s", strerrorname_np(errno));
                if (pid > 0) {
                        ck_assert_msg(WIFSTOPPED(status), "the daemon ended: %d", status);
                        return status;
                }
                if (over && atomic_load(over))
                        return 0;
                look_away(looks);
        }
}

static bool is_wait(uint64_t number)
{
#ifdef SYS_epoll_wait
        if (number == SYS_epoll_wait)
                return true;
#endif
        return number == SYS_epoll_pwait || number == SYS_epoll_pwait2;
}

/* Where the thread is: between the two stops of a call. */
struct place {
        uint64_t number; /* of the call */
        unsigned calls;  /* since the last message */
};

static void note_entry(struct trace_calls *trace, struct place *place, uint64_t number)
{
        place->number = number;
        atomic_store(&trace->waits, is_wait(number));
        if (number == SYS_futex)
                trace->futexes++;
        else
                place->calls++;
}

static void note_exit(struct trace_calls *trace, struct place *place, int64_t result)
{
        atomic_store(&trace->waits, false);
        if (place->number != SYS_recvmsg || result <= 0)
                return;
        if (trace->messages < trace->size)
                trace->counts[trace->messages] = place->calls;
        trace->messages++;
        place->calls = 0;
}

/* Returns the signal that it goes on with. */
static int look_at(struct trace_calls *trace, struct place *place, pid_t thread, int status)
{
        struct __ptrace_syscall_info info = {0};

        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
                return status >> 16 ? 0 : WSTOPSIG(status);
        ck_assert_int_gt(get_info(thread, info), 0);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                note_entry(trace, place, info.entry.nr);
        else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
                note_exit(trace, place, info.exit.rval);
        return 0;
}

static void interrupt(pid_t thread)
{
        ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), 0);
}

void trace_calls(struct trace_calls *trace, pid_t thread)
{
        struct place place = {0};
        int status;

        ck_assert_msg(ptrace(PTRACE_SEIZE, thread, NULL, (void *)PTRACE_O_TRACESYSGOOD) == 0,
                "this process may not trace its child: %s", strerrorname_np(errno));
        interrupt(thread);
        status = await_stop(thread, NULL);
        while (status) {
                int signal = look_at(trace, &place, thread, status);

                ck_assert_int_eq(ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)signal), 0);
                status = await_stop(thread, &trace->over);
        }
        interrupt(thread);
        await_stop(thread, NULL);
        ck_assert_int_eq(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
}

void trace_calls_await(struct trace_calls *trace)
{
        for (unsigned looks = 0; !atomic_load(&trace->waits); looks++)
                look_away(looks);
}

static int compare(const void *a, const void *b)
{
        const unsigned *left = a, *right = b;

        return (*left > *right) - (*left < *right);
}

unsigned trace_calls_median(struct trace_calls *trace)
{
        size_t count = trace->messages < trace->size ? trace->messages : trace->size;

        ck_assert_uint_gt(count, 1);
        qsort(trace->counts + 1, count - 1, sizeof(trace->counts[0]), compare);
        return trace->counts[count / 2];
}
