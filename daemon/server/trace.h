// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

#include <sys/queue.h>

struct request;
struct session;

/*
 * What sessions do, for somebody who watches. Who watches asks for it, page by page; between two
 * pages events are kept in a ring of fixed size. When that is full the oldest is lost, and counted:
 * the daemon waits for nobody and sends nothing unasked. There are at most TRACERS_MAX watchers; an
 * operation costs a look at each, and a copy of 64 bytes for each that wants it.
 */
#define TRACERS_MAX      8
#define TRACERS_USER_MAX 2 /* of who does not administer the daemon */

struct tracer;
LIST_HEAD(tracer_list, tracer);

/* An operation of a session is through; result: what it had to say, if r is 0. */
void trace_note(const struct request *request, const Filemem__Operation *operation,
        const Filemem__Result *result, int r);

/* The session ends, and what it watched with it. */
void trace_close(struct session *session);

/* The operation that asks, as in rpc.h. The first time it begins. */
int report_trace(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
