// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/daemon.h"
#include "support/harness.h"
#include "support/honest.h"
#include "support/raw.h"

/*
 * A daemon, an honest client, and hostile ones, which are processes of another user where that is
 * possible (as root) and go on until they are killed.
 */
#define HOSTILE_PAGE UINT64_C(4096)
#define HOSTILE_MAX  4

struct hostile {
        struct daemon daemon;
        struct honest honest;
        size_t fds; /* of the daemon, with the honest client */
        pid_t pids[HOSTILE_MAX];
};

void hostile_start(struct hostile *hostile);
void hostile_start_with(struct hostile *hostile, const char *pools); /* of the configuration */

/* In a hostile process: becomes another user, and does its worst, over and over. */
typedef void hostile_fn(const struct hostile *hostile);

/*
 * `count` processes do that while the honest client is measured; then they are killed, the daemon
 * has to have let go of all that was theirs, and the honest client has what it had.
 */
void hostile_beside(struct hostile *hostile, const char *name, hostile_fn *act, int count);

/* The parts of that. */
void hostile_begin(struct hostile *hostile, hostile_fn *act, int count);
void hostile_end(struct hostile *hostile, const char *name, int count);

void hostile_stop(struct hostile *hostile);

/* The user that hostile processes are: another one than the daemon's, where this process may. */
void hostile_become_other(void);

/* For hostile processes, to which being refused is no failure. Returns whether there is a session.
 */
bool hostile_open(const struct hostile *hostile, struct raw *raw);

void add_hostile_message_tests(Suite *suite);
void add_hostile_memory_tests(Suite *suite);
void add_hostile_death_tests(Suite *suite);
void add_hostile_user_tests(Suite *suite);
