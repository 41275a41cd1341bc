// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Processes that do with filemem what they can while its daemon is killed again and again:
 * allocate, write patterns, offer ranges to each other, take references, decommit, release, and
 * look at all that they own. Nothing may ever be lost, doubled, foreign, non-zero or an error.
 */
struct survivors_options {
        const char *socket;
        unsigned clients;
        unsigned rounds;
        uint64_t seed;

        /* Has the daemon die, while they are at work. */
        void (*kill)(void *context);
        void *context;
};

/* The longest calls of each client in each round, in ns, ascending. */
struct survivors_report {
        uint64_t *pauses;
        size_t count;
        uint64_t operations;
};

/*
 * Runs them. After each round, with everybody at rest, the references of the pool are exactly those
 * that the clients have. Returns NULL, or a sentence about what went wrong.
 */
const char *survivors_run(
        const struct survivors_options *options, struct survivors_report *ret_report);

/* One line: how many calls and pauses, and their distribution. */
void survivors_print(const struct survivors_report *report);

void survivors_free(struct survivors_report *report);
