// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/daemon.h"
#include "support/exporter.h"
#include "support/harness.h"

/* The daemon and the exporter that run for a test. */
extern struct daemon the_daemon;
extern struct exporter the_exporter;

void exporter_test_start(void);
void exporter_test_stop(void);

void add_http_tests(TCase *exporter); /* what is asked over HTTP, well or badly */

/*
 * A Prometheus that scrapes a daemon of its own while all other tests of a case run; the test of
 * it, to be added last, waits until that was a minute.
 */
void add_prometheus_tests(TCase *exporter);
