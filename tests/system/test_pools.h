// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)

/* The daemon that runs for a test. */
extern struct daemon the_daemon;

void add_peer_tests(Suite *suite);           /* sessions that others opened */
void add_administration_tests(Suite *suite); /* reload, destroy, kick */

/* A Hello for a pool. */
Filemem__Hello hello_for(const char *pool);

/* Connects and says it, and is welcome; or is not, with that status. */
void join(struct raw *raw, const Filemem__Hello *hello);
void check_not_welcome(const Filemem__Hello *hello, Filemem__Status status);

/* Does it and checks the status. */
void check_status(struct raw *raw, struct raw_operation *operation, Filemem__Status status);

/* Opens a peer of a session and says Hello on it. */
void open_peer(struct raw *raw, bool read_only, const char *label, struct raw *ret);

/* Writes to a new range of that size. Returns where it is. */
uint64_t fill(struct raw *raw, uint64_t size);

/* A copy of the session's memfd; and waits until the kernel stores nothing for it, and closes it.
 */
int keep_memfd(const struct raw *raw);
void await_empty(int memfd);

/* Waits until there are so many pools, as an observer sees them. */
void await_pools(struct raw *observer, size_t count);
