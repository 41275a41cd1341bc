// SPDX-License-Identifier: Apache-2.0
#include "support/fault_call.h"

#include "support/harness.h"

#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct {
        int listener;
        _Atomic enum fault_call_kind kind; /* set before `left` */
        atomic_int error;
        atomic_long left; /* until the one that fails; negative: none does */
        atomic_bool happened;
} fault = {.listener = -1, .left = -1};

static const int never[] = {SCMP_SYS(close), SCMP_SYS(munmap), SCMP_SYS(futex), SCMP_SYS(exit),
        SCMP_SYS(exit_group), SCMP_SYS(write), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(sched_yield), SCMP_SYS(clock_nanosleep), SCMP_SYS(kill), SCMP_SYS(tgkill)};

/* Sanitizers make these too, and end the process when they fail. */
static const int of_memory[] = {SCMP_SYS(mmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
        SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(openat), SCMP_SYS(read)};

static const int waiting[] = {SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(poll), SCMP_SYS(ppoll),
        SCMP_SYS(connect), SCMP_SYS(read), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait)};

static bool is_of(int call, const int *calls, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (calls[i] == call)
                        return true;
        return false;
}

static bool is_meant(int call)
{
        enum fault_call_kind kind = fault.kind;

        switch (kind) {
        case FAULT_CALL_WAITING:
                return is_of(call, waiting, COUNT(waiting));
        case FAULT_CALL_MESSAGE:
                return call == SCMP_SYS(sendmsg) || call == SCMP_SYS(recvmsg);
        default:
                return harness_slowness() == 1 || !is_of(call, of_memory, COUNT(of_memory));
        }
}

static bool fails(int call)
{
        long left = atomic_load(&fault.left);

        if (left < 0 || !is_meant(call))
                return false;
        atomic_store(&fault.left, left - 1);
        if (left > 0)
                return false;
        atomic_store(&fault.happened, true);
        return true;
}

/* A connection breaks for good, whoever finds out first. */
static void strike(const struct seccomp_notif *asked, struct seccomp_notif_resp *said)
{
        if (fault.kind == FAULT_CALL_MESSAGE) {
                shutdown((int)asked->data.args[0], SHUT_RDWR);
                return;
        }
        said->flags = 0;
        said->error = -fault.error;
}

/* Not watched itself, so the watched thread never waits for somebody who waits for it. */
static void *answer(void *argument)
{
        struct seccomp_notif *asked;
        struct seccomp_notif_resp *said;

        (void)argument;
        if (seccomp_notify_alloc(&asked, &said) < 0)
                abort();
        for (;;) {
                /* The kernel wants it empty. */
                memset(asked, 0, sizeof(*asked));
                if (seccomp_notify_receive(fault.listener, asked) < 0)
                        continue;
                *said = (struct seccomp_notif_resp){.id = asked->id};
                said->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
                if (fails(asked->data.nr))
                        strike(asked, said);
                (void)seccomp_notify_respond(fault.listener, said);
        }
        return NULL;
}

/* The thread that answers has to be there before anybody is asked, and free of the filter. */
static void *wait_for_listener(void *argument)
{
        while (__atomic_load_n(&fault.listener, __ATOMIC_ACQUIRE) < 0)
                usleep(1000);
        return answer(argument);
}

void fault_call_watch(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_NOTIFY);
        pthread_t thread;

        ck_assert_ptr_nonnull(filter);
        for (size_t i = 0; i < COUNT(never); i++)
                ck_assert_int_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, never[i], 0), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_listener, NULL), 0);
        ck_assert_int_eq(pthread_detach(thread), 0);
        ck_assert_int_eq(seccomp_load(filter), 0);
        __atomic_store_n(&fault.listener, seccomp_notify_fd(filter), __ATOMIC_RELEASE);
        seccomp_release(filter);
}

void fault_call_at(enum fault_call_kind kind, long n, int error)
{
        fault.kind = kind;
        fault.error = error;
        atomic_store(&fault.happened, false);
        atomic_store(&fault.left, n);
}

bool fault_call_end(void)
{
        atomic_store(&fault.left, -1);
        return atomic_load(&fault.happened);
}
