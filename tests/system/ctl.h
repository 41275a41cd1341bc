// SPDX-License-Identifier: Apache-2.0
#pragma once

/* filememctl, run to its end. What it wrote is in these two until the next run. */
extern char ctl_output[1 << 20];
extern char ctl_errors[4096];

/* line: the words after "filememctl", as a shell takes them apart. Returns the exit code. */
int ctl_run(const char *line);

/* The same, which has to go well and say nothing on stderr. Returns the output. */
const char *ctl_get(const char *line);

/* Which has to fail with this code, say nothing on stdout and one line on stderr. Returns that. */
const char *ctl_fail(int code, const char *line);

/* The whole file; fails the test if it cannot be read. To be freed. */
char *ctl_read_file(const char *path);

/* Any command of a shell, in the same way. Returns its exit code, 128 and more for a signal. */
int ctl_shell(const char *command);
