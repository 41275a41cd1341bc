// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * System calls that fail at a chosen moment: those of one thread, whoever makes them. A seccomp
 * filter asks another thread of this process for each.
 *
 * Never made to fail: what cannot fail or would undo nothing (close, munmap, futex), and what the
 * test itself needs to end.
 */

/* From now on this thread's system calls can be made to fail, until it ends. Fails the test. */
void fault_call_watch(void);

/* Which calls are meant. */
enum fault_call_kind {
        FAULT_CALL_ANY,
        FAULT_CALL_WAITING, /* those that a signal can interrupt */
        FAULT_CALL_MESSAGE, /* sendmsg and recvmsg: the connection is shut down before */
};

/*
 * The n-th call of that kind from now on (0: the next one) fails with this errno (positive), once.
 * A negative n: none.
 */
void fault_call_at(enum fault_call_kind kind, long n, int error);

/* Makes none fail any more. Returns whether one has. */
bool fault_call_end(void);
