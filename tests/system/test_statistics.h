// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/statistics.h"
#include "support/daemon.h"
#include "support/harness.h"

#define PAGE UINT64_C(4096)

/* The daemon that runs for a test, as statistics_start() starts it. */
extern struct daemon the_daemon;

void statistics_start(void);
void statistics_stop(void);

void add_user_tests(Suite *suite); /* who may see what */

filemem_session *open_session(const char *label, bool no_pool);
filemem_statistics *open_statistics(filemem_session *session);

/* Lets the daemon write twice more, so that all that came before is in it. */
struct filemem_statistics_totals settle(const filemem_statistics *statistics);

/* Whether it is there. */
bool find_session(
        const filemem_statistics *statistics, uint64_t id, struct filemem_statistics_session *ret);
bool find_pool(const filemem_statistics *statistics, const char *name,
        struct filemem_statistics_pool *ret);
