// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

/*
 * What every row of the tables is tried on: a daemon with a pool of 64 MiB, in which
 *
 *   subject    holds [0, 16 KiB), 4 pages
 *   observer   holds [16 KiB, 32 KiB), and [0, 4 KiB) too
 *
 * and nothing else is allocated. The subject does what is wrong; the observer looks at what became
 * of it.
 */
#define BENCH_CAPACITY (UINT64_C(64) << 20)
#define BENCH_PAGE     UINT64_C(4096)

struct bench {
        struct daemon daemon;
        struct raw subject;
        struct raw observer;
        Filemem__DumpEntry *entries; /* before */
        size_t count;
};

void bench_start(struct bench *bench);

/* Nothing changed, and the daemon answers the observer. */
void bench_check_unchanged(struct bench *bench, const char *row);

void bench_stop(struct bench *bench);

/* DaemonStatus, asked by the observer; valid until it asks something else. */
const Filemem__StatusReport *bench_status(struct bench *bench);

/* The rows that break the protocol. */
void add_protocol_tests(Suite *suite);
