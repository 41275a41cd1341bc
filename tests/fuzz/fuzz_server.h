// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The daemon without main() and without threads of the memory room, for the fuzzer: a real server
 * with a real pool, whose loop and whose threads' work are done when the input says so. A promise
 * that is broken aborts.
 */

#define FUZZ_PAGE UINT64_C(4096)

/* kept: with a store, as a daemon that may be started again. */
void fuzz_server_start(bool kept);

/* The client's end of a new connection. small: it takes few answers that are not read. */
int fuzz_server_connect(bool small);

/* One turn of the loop. */
void fuzz_server_turn(void);

/* One piece of the work of each thread: decommits, reclaim, scans. */
void fuzz_server_step(void);

/* Whether tree, holdings and the server's counters say the same. */
void fuzz_server_check(void);

/* Whether what is written down says that too, so that a daemon could go on from here. */
void fuzz_server_check_kept(void);

/*
 * With all clients gone: within a while no session is left, nobody holds anything, and the kernel
 * stores nothing for the pool. Then frees all, and nothing is left of that either.
 */
void fuzz_server_stop(void);
