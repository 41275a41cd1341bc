// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A change of the machine, such as a swap device, that has to be undone whatever happens to the
 * test program: a process of its own makes it, waits, and undoes it when it is told to or when the
 * test program has died, by whatever signal.
 */

/* What set_up says. CHANGE_IMPOSSIBLE: this machine cannot do that; it has printed why. */
enum change {
        CHANGE_MADE,
        CHANGE_IMPOSSIBLE,
        CHANGE_FAILED,
};

/* The exit code by which ctest knows that a test program was skipped. */
#define GUARDIAN_SKIPPED 77

/*
 * Has the change made, runs the tests, and has it undone. Returns the exit code for main(): that of
 * the tests, GUARDIAN_SKIPPED, or EXIT_FAILURE if the change could not be made or undone.
 *
 * set_up and undo run in the other process. undo also runs after a set_up that came half the way,
 * so it has to see for itself what there is to undo; it returns whether it could.
 */
int guardian_run(enum change (*set_up)(void), bool (*undo)(void), int (*tests)(void));

/* A file of sysfs: reads or writes a short text. Returns 0 or a negative errno. */
int guardian_read(const char *path, char *text, size_t size);
int guardian_write(const char *path, const char *text);
