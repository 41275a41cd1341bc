// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Connects to the daemon, or takes the descriptor that $FILEMEM_FD names. path: NULL for the usual
 * places. Returns the socket, or a negative errno, such as that of connect(2), with the sentence
 * for filemem_open_error() set.
 */
int connect_daemon(const char *path);

/*
 * Whether a descriptor may be a connection to the daemon; makes it one that waits and that no other
 * program inherits. Returns 0, or -EBADF or -ENOTSOCK with the sentence set.
 */
int connect_check(int fd);
