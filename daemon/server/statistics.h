// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "base/histogram.h"
#include "proto/filemem.pb-c.h"

#include <stddef.h>
#include <stdint.h>

struct request;
struct server;
struct session;

/*
 * What the server counts. All of it belongs to the thread that runs the loop, so that to count is
 * to add; who may see it is a matter of views.h.
 */
struct server_statistics {
        uint64_t sessions_total; /* that got a Welcome */
        uint64_t requests;
        uint64_t operations;
        uint64_t refusals;        /* requests and operations that were not answered OK */
        uint64_t protocol_errors; /* sessions that the daemon ended with a Goodbye */
        uint64_t allocations;
        uint64_t allocated_bytes;
        uint64_t releases;
        uint64_t released_bytes;
        uint64_t refused[OUTCOME_COUNT]; /* by outcome; 0: by what is none */
        struct request_times *times;
};

/* What a session did. */
struct session_statistics {
        uint64_t operations;
        uint64_t refusals;
        uint64_t allocations;
        uint64_t allocated_bytes;
        uint64_t releases;
        uint64_t released_bytes;
        uint64_t active_at; /* clock_now() when its last request was answered */
};

/* The most that there are names for. */
#define REQUEST_TIMES_MAX 48

/* How long requests take, by the operation that they have. */
struct request_times {
        size_t count;
        uint8_t places[256]; /* by the case of the operation: its place + 1; 0: none yet */
        struct {
                const char *name; /* static */
                struct histogram histogram;
        } list[REQUEST_TIMES_MAX];
};

/* Returns 0 or -ENOMEM. */
int statistics_init(struct server_statistics *statistics);
void statistics_deinit(struct server_statistics *statistics);

/* Something was refused with an outcome or an errno. */
void statistics_note_refusal(struct server_statistics *statistics, int result);

/* The operation that a request is at is through, with this result. */
void statistics_note_operation(const struct request *request, int result);

/* A request was answered. */
void statistics_note_request(const struct request *request);

/* The name of an outcome as people and metrics have it: "limit_bytes". 0: "error". */
void statistics_name_outcome(int outcome, char *ret, size_t size);
