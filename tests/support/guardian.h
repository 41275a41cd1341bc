// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * A change of the machine, such as a swap device, that has to be undone whatever happens to the
 * test program: a process of its own makes it, waits, and undoes it when it is told to or when the
 * test program has died, by whatever signal.
 */
struct guardian {
        pid_t pid;
        int fd;
};

/* What set_up says. CHANGE_IMPOSSIBLE: this machine cannot do that; it has printed why. */
enum change {
        CHANGE_MADE,
        CHANGE_IMPOSSIBLE,
        CHANGE_FAILED,
};

/*
 * Both functions run in the other process. undo also runs after a set_up that failed, so it has to
 * see for itself what there is to undo. Returns what set_up returned, and then, unless the change
 * was made, everything is undone and there is nothing to stop.
 */
enum change guardian_start(
        struct guardian *guardian, enum change (*set_up)(void), bool (*undo)(void));

/* Has the change undone. Returns whether that worked. */
bool guardian_stop(struct guardian *guardian);

/* The exit code by which ctest knows that a test program was skipped. */
#define GUARDIAN_SKIPPED 77

/* A file of sysfs: reads or writes a short text. Returns 0 or a negative errno. */
int guardian_read(const char *path, char *text, size_t size);
int guardian_write(const char *path, const char *text);
