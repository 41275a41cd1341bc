// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * The real filememd, in a temporary folder of its own, with a socket and a log in it. Whatever goes
 * wrong fails the test.
 */
struct daemon {
        pid_t pid;
        char folder[64];
        char socket[96];
        char log[96];
};

/* Makes the folder and the paths, and starts nothing. */
void daemon_prepare(struct daemon *daemon);

/*
 * Starts it with --foreground and the socket, and waits until it answers a Hello. config: the text
 * of its configuration file, or NULL for none. daemon_launch() is for a daemon that was prepared.
 */
void daemon_start(struct daemon *daemon, const char *config);
void daemon_launch(struct daemon *daemon, const char *config);

/* Waits until one that was started in another way answers a Hello. */
void daemon_await_answer(const struct daemon *daemon);

/* Ends it by SIGTERM, checks that it ends well and in time, and removes the folder. */
void daemon_stop(struct daemon *daemon);

/* The parts of that: ends it by a signal and returns what waitpid() says; removes the folder. */
int daemon_end(struct daemon *daemon, int signal);
void daemon_remove(struct daemon *daemon);

/* Waits for its end, at most some seconds. Returns what waitpid() says. */
int daemon_wait(struct daemon *daemon);

/* Writes another configuration file; the daemon does not read it by itself. */
void daemon_write_config(const struct daemon *daemon, const char *config);

/* Open file descriptors of the daemon. */
size_t daemon_count_fds(const struct daemon *daemon);

/* Waits until it has so many: it closes them when it comes to it. */
void daemon_await_fds(const struct daemon *daemon, size_t count);

/*
 * Runs filememd with these arguments (NULL ends them) to its end. Returns its exit code; what it
 * wrote to stdout and stderr is in the two buffers.
 */
int daemon_run(const char *const *arguments, char *output, char *errors, size_t size);
