// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The system calls of one thread of another process, counted for each message that it receives, as
 * strace would (ptrace). Slow, so nothing may depend on time meanwhile.
 */
struct trace_calls {
        unsigned *
                counts; /* calls from one message to the next, with what waits for it; no futexes */
        size_t size;    /* of the array; what comes later is counted in `messages` alone */
        size_t messages;   /* that were received */
        size_t futexes;    /* calls of futex(): what other threads have to do with */
        atomic_bool waits; /* it is in epoll_wait(), or about to be */
        atomic_bool over;  /* it is not to be traced any longer */
};

/*
 * Traces a thread of a child of this process until trace->over. Whoever calls is the tracer, so the
 * messages have to be sent by another thread. Fails the test.
 */
void trace_calls(struct trace_calls *trace, pid_t thread);

/* For the other threads: returns when the thread waits. */
void trace_calls_await(struct trace_calls *trace);

/* The median of the counts, without the first, which has what came before. Sorts them. */
unsigned trace_calls_median(struct trace_calls *trace);
