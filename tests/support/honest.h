// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/raw.h"

/*
 * An honest client beside which others are hostile: it allocates, releases and pings, and measures
 * how long that takes, at first alone and then beside them. What it had written before has to be
 * there afterwards. Whatever goes wrong fails the test.
 */
struct honest {
        struct raw raw;
        uint64_t baseline; /* ns: the middle of its rounds when it was alone */
        uint64_t start;    /* of the range that it keeps */
        unsigned char *memory;
};

/* Opens a session and measures the baseline. */
void honest_open(struct honest *honest, const char *socket);

/*
 * Measures again: the middle of the rounds stays level with the baseline, and no round is a stall.
 * The bounds leave room for noise and for the processor time that the others take.
 */
void honest_check_level(struct honest *honest, const char *beside);

/* The same when it is alone again, which takes less time. */
void honest_check_level_again(struct honest *honest, const char *beside);

/* What it wrote is still there, and it alone holds it. */
void honest_check_memory(struct honest *honest, const char *beside);

/* Waits until what it keeps is all that is allocated, and the kernel stores nothing else. */
void honest_await_alone(struct honest *honest, const char *beside);

void honest_close(struct honest *honest);
