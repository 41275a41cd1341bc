// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/harness.h"
#include "support/manager.h"
#include "support/raw.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A client that outlives daemons, on a raw connection: it sends one request at a time, and sends it
 * again after Resumed.
 */
#define SURVIVE_PAGE UINT64_C(4096)

extern struct manager manager;

/* Hello on a connection, with `resumable`. Returns the answer. */
const Filemem__ToClient *survive_greet(struct raw *raw, const char *label);

/* Connects, says Hello, and is told that the session survives. */
void survive_open(struct raw *raw, const char *label);

/* The same in a private pool; where a daemon dies before Welcome it connects again. */
void survive_open_anyway(struct raw *raw, bool private_pool);

/* The next message has to be Resumed. Says Resume. Returns last_applied. */
uint64_t survive_resume(struct raw *raw);
void survive_say_resume(struct raw *raw);

/* A request with that id, whatever came before. */
void survive_send(struct raw *raw, uint64_t id, struct raw_operation *operations, size_t count,
        bool acknowledge);

/* Sends a request, again after every Resumed, until its reply is there. events: counts distinct
 * ones that came, by their operation. */
const Filemem__Reply *survive_call(
        struct raw *raw, struct raw_operation *operations, size_t count, uint64_t *events);

/* The pid of the daemon is another one than before. */
void survive_restart(int number);

/*
 * Has clients live with a daemon that dies at its n-th step and is started again, for n from 1 on
 * until it does not come to that step any more. After each life nothing of it may be kept. Returns
 * that n.
 */
long survive_every_step(const char *config, void (*live)(void));

/* How many sessions the daemon has, the one that asks included; asked by a client of its own. */
size_t survive_count_sessions(void);

/* Waits until it has so many besides that one. */
void survive_await_sessions(size_t count);

TCase *survive_administration_case(Suite *suite);
TCase *survive_crash_case(Suite *suite);
TCase *survive_compaction_case(Suite *suite);
TCase *survive_trouble_case(Suite *suite);
