// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

#include <stdint.h>

/* What a session has done so far, for operators to see who is at work and who is not. */
struct activity {
        uint64_t active_at; /* clock_now() when something came from it for the last time */
        uint64_t operations;
        uint64_t refusals;  /* of these */
        uint64_t allocated; /* bytes, of all allocations */
        uint64_t released;  /* bytes, of all references that it gave up */
};

/* An operation is through; result: what came of it. */
void activity_note(struct activity *activity, const Filemem__Operation *operation, int result);
